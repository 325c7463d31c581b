use std::any::Any;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use lambda_spans::HttpLayer;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::ApiError;
use super::{AppState, activities, answer, body, deadline, health, messages, notifications, search};

/// Every route there is.
///
/// The layers, from the outermost: the span learns the route that matched, errors become bodies and are logged, panics
/// become errors, the time left is kept, bodies are bounded.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/api/health-check", get(health::check))
        .route("/api/activities", post(activities::create))
        .route("/api/activities/home", get(activities::home))
        .route("/api/activities/notifications", get(notifications::list).put(notifications::mark_read))
        .route("/api/activities/search", get(search::search))
        .route("/api/activities/{activity_uuid}", get(activities::show))
        .route("/api/message_groups", get(messages::groups))
        .route("/api/messages", post(messages::create))
        .route("/api/messages/{message_group_uuid}", get(messages::list))
        .fallback(async || ApiError::NotFound("There is no such route."))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(state.clone(), deadline::keep))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(answer::answer))
        // Here, inside of whatever stands around the router, it knows the route that matched.
        .layer(HttpLayer::new())
        .with_state(state)
}

/// The panic's message is left out on purpose: it may quote what the request said.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Panic.into_response()
}
