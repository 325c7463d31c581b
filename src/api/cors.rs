use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Request headers that pages may set, in addition to those that CORS always allows.
const ALLOWED: [HeaderName; 6] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-amzn-trace-id"),
];
/// Response headers that pages may read, in addition to those that CORS always exposes.
const EXPOSED: [HeaderName; 5] = [
    LINK,
    RETRY_AFTER,
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("x-trace-id"),
    HeaderName::from_static("x-unread-count"),
];
/// How long a browser may cache the result of a preflight request.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Origins whose pages may call the API, such as `https://cruddur.com`. Browsers hide responses from all other pages.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<HeaderValue>);

impl FromIterator<String> for Origins {
    /// Ignores values that are invalid in a header, because no page has such an origin.
    fn from_iter<I: IntoIterator<Item = String>>(origins: I) -> Self {
        Self(origins.into_iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect())
    }
}

/// Returns a layer that handles preflight requests, and allows pages of `origins` to read responses. It does not allow
/// credentials: clients send the access token in a header.
pub(super) fn layer(origins: &Origins, methods: impl Iterator<Item = &'static str>) -> CorsLayer {
    let methods: BTreeSet<&str> = methods.collect();
    let methods = methods.into_iter().filter_map(|method| Method::from_bytes(method.as_bytes()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.clone()))
        .allow_methods(methods.collect::<Vec<_>>())
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE)
}
