//! Problems (RFC 9457) of requests that the API's router does not answer.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Returns a problem, with the trace id inside of a trace.
pub fn problem(status: StatusCode, code: Option<&str>, detail: &str) -> Response {
    let mut body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(code.map(|code| ("code".to_owned(), code.into())));
        fields.extend(lambda_spans::trace_id().map(|id| ("trace_id".to_owned(), id.into())));
    }
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
