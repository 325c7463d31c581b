use std::any::Any;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Extension, Router};
use lambda_spans::HttpLayer;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::ApiError;
use super::kept_home::KeptHome;
use super::route::{Access, Route};
use super::routes::ROUTES;
use super::{AppState, auth, body, cache, cors, deadline, problem};

/// Returns the router of all [`ROUTES`].
///
/// Layers from the outermost to the innermost: HTTP attributes of the span, problems and their log lines, headers for
/// caches, CORS, panics, the deadline, the body limit, authentication.
pub fn router(state: AppState) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, with_auth(route, &state)));
    let router = routes
        .fallback(async || ApiError::NotFound("The route does not exist."))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(Extension(KeptHome::default()))
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(state.clone(), deadline::enforce))
        .layer(CatchPanicLayer::custom(handle_panic));
    let router = cors::allow_pages(router, &state.origins, ROUTES.iter().map(|route| route.method))
        .layer(map_response(cache::complete))
        .layer(from_fn(problem::write_problem))
        // Inside the outer router: here the matched route is known.
        .layer(HttpLayer::new().with_redacted_path())
        .with_state(state);
    Router::new().fallback_service(MapRequest::new(router, decode_at_sign))
}

/// Decodes `%40` at the beginning of a path segment. Some clients encode `@`, and axum matches routes before decoding.
fn decode_at_sign(mut request: Request) -> Request {
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

/// Adds the authentication that the route requires, and the headers for caches that depend on it.
fn with_auth(route: &Route, state: &AppState) -> MethodRouter<AppState> {
    let handler = match route.max_age {
        Some(max_age) => route.handler().route_layer(from_fn_with_state(max_age, cache::allow)),
        None => route.handler(),
    };
    let handler = match route.access {
        Access::Public if route.max_age.is_none() => return handler,
        Access::Public => handler,
        Access::Optional => handler.route_layer(from_fn_with_state(state.clone(), auth::optional)),
        Access::SignedIn => handler.route_layer(from_fn_with_state(state.clone(), auth::required)),
    };
    handler.route_layer(map_response(cache::vary_by_authorization))
}

/// Omits the panic's message, which may quote the request.
fn handle_panic(_: Box<dyn Any + Send>) -> Response {
    ApiError::Panic.into_response()
}
