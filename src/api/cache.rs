//! `Cache-Control` and `Vary` of all responses.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::principal::Principal;

/// The time for which caches may reuse a public response of a route, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaxAge(pub(super) u16);

/// Lets caches store the successful responses to anonymous requests. A user who has just liked a post reads the new count,
/// although the response is the same for everyone.
///
/// Belongs inside the authentication, which adds the user to the request.
pub(super) async fn allow(State(MaxAge(seconds)): State<MaxAge>, request: Request, next: Next) -> Response {
    let has_user = request.extensions().get::<Principal>().is_some();
    let is_anonymous = !has_user && !request.headers().contains_key(AUTHORIZATION);
    let mut response = next.run(request).await;
    if is_anonymous
        && response.status().is_success()
        && let Ok(value) = HeaderValue::try_from(format!("public, max-age={seconds}"))
    {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

/// Keeps caches from serving an anonymous response to a user who has signed in since, and the reverse.
pub(super) async fn vary_by_authorization(mut response: Response) -> Response {
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization"));
    response
}

/// Forbids caches to store any other response, such as an error or the result of a write. Joins the values of `Vary`,
/// because some caches read only one.
pub(super) async fn complete(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(vary) = joined_vary(headers) {
        headers.insert(VARY, vary);
    }
    response
}

fn joined_vary(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    let names: BTreeSet<_> =
        values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    HeaderValue::try_from(names.join(", ")).ok().filter(|value| !value.is_empty())
}
