//! Which requests the page and the API accept, and the headers of every answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Response, StatusCode};
use axum::middleware::Next;

use super::problem::problem;
use crate::clock::Clock;
use crate::health::{Health, Refusal};
use crate::host::{Admission, Forbidden};

/// Checks requests and counts refusals.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The accepted hosts and origins.
    pub(crate) admission: Arc<Admission>,
    /// The counts.
    pub(crate) health: Arc<Health>,
    /// The clock.
    pub(crate) clock: Clock,
}

/// The middleware of the page and the API.
pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response<Body> {
    let mut response = match guard.admission.check_page(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(forbidden) => {
            let (code, name, detail, flag) = match forbidden {
                Forbidden::Host { flag } => {
                    (Refusal::BadHost, "bad_host", "`--allow-host <NAME>` admits this host", flag)
                }
                Forbidden::Origin { flag } => {
                    (Refusal::ForeignOrigin, "foreign_origin", "`--allow-origin <ORIGIN>` admits this origin", flag)
                }
            };
            guard.health.refused(code, 1, detail, flag, guard.clock.now());
            problem(StatusCode::FORBIDDEN, name, detail)
        }
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
