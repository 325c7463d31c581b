use std::any::Any;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use lambda_spans::HttpLayer;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::ApiError;
use super::{AppState, activities, answer, body, cors, deadline, health, identity};

/// Every route there is: the router is made of these rows and of nothing else.
pub static ROUTES: [Route; 4] = [
    Route::get("/api/health-check", Access::Public, |method| on(method, health::check)),
    Route::post("/api/activities", Access::SignedIn, |method| on(method, activities::create)),
    Route::get("/api/activities/home", Access::Optional, |method| on(method, activities::home)),
    Route::get("/api/activities/{activity_uuid}", Access::Public, |method| on(method, activities::show)),
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
    routes
        .fallback(async || ApiError::NotFound("There is no such route."))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(state.clone(), deadline::keep))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors::layer(&state.origins))
        .layer(from_fn(answer::answer))
        // Here, inside of whatever stands around the router, it knows the route that matched.
        .layer(HttpLayer::new())
        .with_state(state)
}

impl Route {
    const fn get(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { method: "GET", path, access, filter: MethodFilter::GET, handler }
    }

    const fn post(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { method: "POST", path, access, filter: MethodFilter::POST, handler }
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
