use std::any::Any;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use lambda_spans::HttpLayer;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::ApiError;
use super::{
    AppState, activities, answer, body, deadline, health, home, messages, notifications, profile, reactions, replies,
    search, users,
};

/// Every route there is.
///
/// The layers, from the outermost: the span learns the route that matched, errors become bodies and are logged, panics
/// become errors, the time left is kept, bodies are bounded.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/api/health-check", get(health::check))
        .route("/api/activities", post(activities::create))
        .route("/api/activities/home", get(home::home))
        .route("/api/activities/notifications", get(notifications::list).put(notifications::mark_read))
        .route("/api/activities/search", get(search::search))
        .route("/api/activities/@{handle}", get(users::feed))
        .route("/api/activities/@{handle}/status/{activity_uuid}", get(activities::show_status))
        .route("/api/activities/{activity_uuid}", get(activities::show).delete(activities::delete))
        .route("/api/activities/{activity_uuid}/reply", post(replies::create))
        .route("/api/activities/{activity_uuid}/like", put(reactions::like).delete(reactions::unlike))
        .route("/api/activities/{activity_uuid}/repost", put(reactions::repost).delete(reactions::undo_repost))
        .route("/api/message_groups", get(messages::groups))
        .route("/api/messages", post(messages::create))
        .route("/api/messages/{message_group_uuid}", get(messages::list))
        .route("/api/profile/update", post(profile::update).put(profile::update))
        .route("/api/users/@{handle}/short", get(users::short));
    let router = routes
        .fallback(async || ApiError::NotFound("There is no such route."))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(state.clone(), deadline::keep))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(answer::answer))
        // Here, inside of whatever stands around the router, it knows the route that matched.
        .layer(HttpLayer::new())
        .with_state(state);
    Router::new().fallback_service(MapRequest::new(router, at_sign))
}

/// A part that begins with `%40` is one that begins with `@`: some clients write it so, and routes are matched by the
/// text as it came.
fn at_sign(mut request: Request) -> Request {
    let path = request.uri().path().replace("/%40", "/@");
    if path != request.uri().path() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(format!("{path}{query}")).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The panic's message is left out on purpose: it may quote what the request said.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Panic.into_response()
}
