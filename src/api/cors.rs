use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ACCESS_CONTROL_REQUEST_HEADERS, GetAll, LINK, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::map_request;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Request headers that pages may set, in addition to those that CORS always allows.
const ALLOWED: [&str; 3] = ["authorization", "content-type", "idempotency-key"];
/// Tracing headers that pages may also set: of OpenTelemetry, Sentry, X-Ray, and Datadog's browser SDK. Its version 4.0
/// and older send `x-datadog-sampled`. A preflight response contains those that the request names.
const TRACING: [&str; 10] = [
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
    "x-amzn-trace-id",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampled",
    "x-datadog-sampling-priority",
    "x-datadog-trace-id",
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

impl Origins {
    /// Returns whether a request's `Origin` is allowed. Browsers send one.
    pub(super) fn allow(&self, origin: GetAll<'_, HeaderValue>) -> bool {
        let mut values = origin.iter();
        let (Some(origin), None) = (values.next(), values.next()) else { return false };
        self.0.contains(origin)
    }
}

/// Handles preflight requests to `router`, and allows pages of `origins` to send requests with these methods, the API's
/// headers and known tracing headers, and to read the responses.
pub fn allow_pages<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    origins: &Origins,
    methods: impl Iterator<Item = &'static str>,
) -> Router<S> {
    router.layer(layer(origins, methods)).layer(map_request(name_allowed_headers))
}

/// Does not allow credentials: clients send the access token in a header.
///
/// The layer allows all headers that a preflight request names, so it requires [`name_allowed_headers`] around it.
fn layer(origins: &Origins, methods: impl Iterator<Item = &'static str>) -> CorsLayer {
    let methods: BTreeSet<&str> = methods.collect();
    let methods = methods.into_iter().filter_map(|method| Method::from_bytes(method.as_bytes()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.clone()))
        .allow_methods(methods.collect::<Vec<_>>())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE)
        // Only preflight responses depend on other headers, and caches may not store them.
        .vary([ORIGIN])
}

/// Replaces the headers that a preflight request names by the allowed ones.
async fn name_allowed_headers(mut request: Request) -> Request {
    if request.method() == Method::OPTIONS {
        let values = request.headers().get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let names: Vec<_> =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim).collect();
        let is_named = |header: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(header));
        let allowed: Vec<_> = ALLOWED.into_iter().chain(TRACING.into_iter().filter(is_named)).collect();
        if let Ok(allowed) = HeaderValue::try_from(allowed.join(",")) {
            request.headers_mut().insert(ACCESS_CONTROL_REQUEST_HEADERS, allowed);
        }
    }
    request
}
