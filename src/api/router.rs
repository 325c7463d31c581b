use std::any::Any;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use lambda_spans::HttpLayer;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::ApiError;
use super::{
    AppState, activities, answer, body, cors, deadline, health, home, identity, messages, notifications, openapi,
    profile, reactions, replies, search, users,
};

/// Every route there is: the router is made of these rows and of nothing else.
pub static ROUTES: [Route; 22] = [
    Route::get("/api/health-check", Access::Public, |m| on(m, health::check)),
    Route::get("/api/openapi.json", Access::Public, |m| on(m, openapi::show)),
    Route::get("/api/activities/home", Access::Optional, |m| on(m, home::home)),
    Route::get("/api/activities/notifications", Access::SignedIn, |m| on(m, notifications::list)),
    Route::put("/api/activities/notifications", Access::SignedIn, |m| on(m, notifications::mark_read)),
    Route::get("/api/activities/search", Access::Optional, |m| on(m, search::search)),
    Route::get("/api/activities/@{handle}", Access::Public, |m| on(m, users::feed)),
    Route::get("/api/activities/@{handle}/status/{activity_uuid}", Access::Public, |m| on(m, activities::show_status)),
    Route::get("/api/activities/{activity_uuid}", Access::Public, |m| on(m, activities::show)),
    Route::post("/api/activities", Access::SignedIn, |m| on(m, activities::create)),
    Route::delete("/api/activities/{activity_uuid}", Access::SignedIn, |m| on(m, activities::delete)),
    Route::post("/api/activities/{activity_uuid}/reply", Access::SignedIn, |m| on(m, replies::create)),
    Route::put("/api/activities/{activity_uuid}/like", Access::SignedIn, |m| on(m, reactions::like)),
    Route::delete("/api/activities/{activity_uuid}/like", Access::SignedIn, |m| on(m, reactions::unlike)),
    Route::put("/api/activities/{activity_uuid}/repost", Access::SignedIn, |m| on(m, reactions::repost)),
    Route::delete("/api/activities/{activity_uuid}/repost", Access::SignedIn, |m| on(m, reactions::undo_repost)),
    Route::get("/api/users/@{handle}/short", Access::Public, |m| on(m, users::short)),
    Route::post("/api/profile/update", Access::SignedIn, |m| on(m, profile::update)),
    Route::put("/api/profile/update", Access::SignedIn, |m| on(m, profile::update)),
    Route::get("/api/message_groups", Access::SignedIn, |m| on(m, messages::groups)),
    Route::get("/api/messages/{message_group_uuid}", Access::SignedIn, |m| on(m, messages::list)),
    Route::post("/api/messages", Access::SignedIn, |m| on(m, messages::create)),
];

/// A method of a path, who may call it, and what answers.
pub struct Route {
    /// The method in upper case; a GET answers HEAD too.
    pub method: &'static str,
    /// The path, its parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    filter: MethodFilter,
    handler: Handler,
}

type Handler = fn(MethodFilter) -> MethodRouter<AppState>;

/// Who may call a route. What a user may do to a thing of others is the handler's to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody; nobody is asked who it is.
    Public,
    /// Everybody; a user who has signed in sees more.
    Optional,
    /// Users who have signed in.
    SignedIn,
}

/// The router of all [`ROUTES`].
///
/// The layers, from the outermost: the span learns the route that matched, errors become bodies and are logged, web
/// pages of our origins are let in, panics become errors, the time left is kept, bodies are bounded, users are told.
pub fn router(state: AppState) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, route.guarded(&state)));
    let router = routes
        .fallback(async || ApiError::NotFound("There is no such route."))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(state.clone(), deadline::keep))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors::layer(&state.origins))
        .layer(from_fn(answer::answer))
        // Here, inside of whatever stands around the router, it knows the route that matched.
        .layer(HttpLayer::new().with_redacted_path())
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

impl Route {
    const fn get(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { method: "GET", path, access, filter: MethodFilter::GET, handler }
    }

    const fn post(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { method: "POST", path, access, filter: MethodFilter::POST, handler }
    }

    const fn put(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { method: "PUT", path, access, filter: MethodFilter::PUT, handler }
    }

    const fn delete(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { method: "DELETE", path, access, filter: MethodFilter::DELETE, handler }
    }

    fn guarded(&self, state: &AppState) -> MethodRouter<AppState> {
        let handler = (self.handler)(self.filter);
        match self.access {
            Access::Public => handler,
            Access::Optional => handler.route_layer(from_fn_with_state(state.clone(), identity::optional)),
            Access::SignedIn => handler.route_layer(from_fn_with_state(state.clone(), identity::required)),
        }
    }
}

/// The panic's message is left out on purpose: it may quote what the request said.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Panic.into_response()
}
