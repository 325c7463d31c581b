use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;

use super::auth::Challenge;
use super::error::ApiError;
use crate::error_chain::error_chain;

const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Problem details (RFC 9457). The type is `about:blank`, because `code` identifies the kind of failure.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Problem"))]
pub(super) struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// The kind of failure.
    code: &'static str,
    /// All rules that the request breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<&'static str>>,
    /// Only of status 401.
    #[serde(flatten)]
    challenge: Option<Challenge>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

impl<'a> Problem<'a> {
    pub(super) fn new(error: &ApiError, trace_id: Option<&'a str>) -> Self {
        let (status, code) = error.status();
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: error.to_string(),
            code,
            codes: error.codes(),
            challenge: error.challenge(),
            trace_id,
        }
    }
}

/// The form of an error's body.
#[derive(Clone, Copy)]
enum Form {
    /// A problem for all errors.
    Problem,
    /// The array of codes if validation failed, and otherwise a problem.
    CodesOrProblem,
    /// An array for all errors, for web pages. The original's pages show its elements, and nothing of a problem.
    Array,
}

impl Form {
    fn of(request: &HeaderMap) -> Self {
        match (accepts_problem(request), expects_array(request)) {
            (true, _) => Self::Problem,
            (false, true) => Self::Array,
            (false, false) => Self::CodesOrProblem,
        }
    }
}

/// Returns whether a request gets every error as a JSON array: a web page sent it, and does not accept problems.
#[must_use]
pub fn expects_array(request: &HeaderMap) -> bool {
    request.contains_key(ORIGIN) && !accepts_problem(request)
}

/// Returns the elements of the array: codes for which the original's pages have texts of their own, and otherwise the text
/// itself, which they show as it is.
pub(super) fn elements(error: &ApiError) -> Vec<Cow<'static, str>> {
    if let Some(codes) = error.codes() {
        return codes.into_iter().map(Cow::Borrowed).collect();
    }
    let (status, _) = error.status();
    vec![match status {
        StatusCode::UNAUTHORIZED => Cow::Borrowed("generic_401"),
        StatusCode::FORBIDDEN => Cow::Borrowed("generic_403"),
        StatusCode::INTERNAL_SERVER_ERROR => Cow::Borrowed("generic_500"),
        _ => Cow::Owned(error.to_string()),
    }]
}

/// Logs errors and writes their bodies, and adds the trace id to every response.
pub(super) async fn write_problem(request: Request, next: Next) -> Response {
    let form = Form::of(request.headers());
    let mut response = next.run(request).await;
    let trace_id = lambda_spans::trace_id();
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        log_error(&error);
        write_error(&mut response, &error, form, trace_id.as_deref());
    }
    if let Some(value) = trace_id.and_then(|id| HeaderValue::try_from(id).ok()) {
        response.headers_mut().insert(TRACE_ID, value);
    }
    response
}

fn write_error(response: &mut Response, error: &ApiError, form: Form, trace_id: Option<&str>) {
    let (status, _) = error.status();
    let is_array = match form {
        Form::Problem => false,
        Form::CodesOrProblem => error.codes().is_some(),
        Form::Array => true,
    };
    let (content_type, body) = if is_array {
        (JSON, serde_json::to_vec(&elements(error)))
    } else {
        (PROBLEM, serde_json::to_vec(&Problem::new(error, trace_id)))
    };
    *response.body_mut() = Body::from(body.unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    if let Some(challenge) = error.challenge() {
        headers.insert(WWW_AUTHENTICATE, challenge.header());
    }
    if matches!(error, ApiError::UnsupportedContentEncoding) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
}

fn accepts_problem(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    ranges
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| range.eq_ignore_ascii_case("application/problem+json"))
}

/// Logs client errors by their code alone, because their texts may quote the request.
fn log_error(error: &ApiError) {
    let (status, code) = error.status();
    if status.is_server_error() {
        tracing::error!(error.r#type = code, error.causes = error_chain(error.source()), "request failed");
    } else {
        tracing::debug!(error.r#type = code, "request rejected");
    }
}
