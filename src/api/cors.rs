use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::router::ROUTES;

/// What pages may send besides the headers that every page may.
const ALLOWED: [HeaderName; 6] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-amzn-trace-id"),
];
/// What pages may read besides the headers that every page may.
const EXPOSED: [HeaderName; 5] = [
    LINK,
    RETRY_AFTER,
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("x-trace-id"),
    HeaderName::from_static("x-unread-count"),
];
/// How long a browser need not ask again.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The origins whose pages may call the API, such as `https://cruddur.com`. No other page reads an answer.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<HeaderValue>);

impl FromIterator<String> for Origins {
    /// What cannot stand in a header is no origin of any page, and is left out.
    fn from_iter<I: IntoIterator<Item = String>>(origins: I) -> Self {
        Self(origins.into_iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect())
    }
}

/// Answers preflights, and marks the answers that pages of `origins` may read. No credentials: a token is a header.
pub(super) fn layer(origins: &Origins) -> CorsLayer {
    let methods: BTreeSet<&str> = ROUTES.iter().map(|route| route.method).collect();
    let methods = methods.into_iter().filter_map(|method| Method::from_bytes(method.as_bytes()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.clone()))
        .allow_methods(methods.collect::<Vec<_>>())
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE)
}
