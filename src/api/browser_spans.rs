//! Spans of web pages, in OTLP's JSON form. The exporter of the function's own spans forwards them, so that no page
//! needs a key for the receiver.

mod attributes;
pub(super) mod forwarding;
mod span;

use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::AppState;
use super::body;
use super::error::ApiError;
use crate::json::Object;

/// The maximum number of spans in a request.
const MAX_SPANS: usize = 100;

/// An OTLP request. Unknown members are ignored, as OTLP requires.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ExportRequest {
    resource_spans: Vec<Object<ResourceSpans>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpans {
    scope_spans: Vec<Object<ScopeSpans>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeSpans {
    spans: Vec<Map<String, Value>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportResponse {
    partial_success: PartialSuccess,
}

/// What was rejected; empty if all spans were accepted.
#[derive(Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct PartialSuccess {
    /// A 64-bit number is a string in OTLP's JSON form.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_spans: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'static str>,
}

/// Accepts spans of a web page. Invalid spans are rejected one by one.
pub(super) async fn receive(State(state): State<AppState>, request: Request) -> Result<Json<ExportResponse>, ApiError> {
    // A trace of the request would double the number of traces.
    lambda_spans::exclude_from_otlp();
    let Some(browser_spans) = &state.browser_spans else {
        return Err(ApiError::NotFound("This API accepts no spans of web pages."));
    };
    if !browser_spans.origins.allow(request.headers().get_all(ORIGIN)) {
        return Err(ApiError::Forbidden("`Origin` must be an origin that may call this API."));
    }
    let bytes = body::read(request, &state).await?;
    let ExportRequest { resource_spans } = body::parse(&bytes)?;
    let scopes = resource_spans.into_iter().flat_map(|Object(resource)| resource.scope_spans);
    let spans: Vec<_> = scopes.flat_map(|Object(scope)| scope.spans).collect();
    let now = UNIX_EPOCH + Duration::from_millis(state.clock.now().as_millisecond().try_into().unwrap_or_default());
    let accepted: Vec<_> = spans.iter().take(MAX_SPANS).filter_map(|span| span::parse(span, now)).collect();
    let rejected = spans.len() - accepted.len();
    browser_spans.forward(accepted, rejected);
    let partial_success = match rejected {
        0 => PartialSuccess::default(),
        count => PartialSuccess {
            rejected_spans: Some(count.to_string()),
            error_message: Some(
                "A span has an invalid id, time or name, is too old or too long, or is not among the first 100.",
            ),
        },
    };
    Ok(Json(ExportResponse { partial_success }))
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for ExportRequest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExportRequest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let list = |of: Value| serde_json::json!({ "type": "array", "items": of });
        let member = |name: &str, of: Value| serde_json::json!({ "type": "object", "properties": { name: list(of) } });
        let spans = member("spans", span::schema());
        let Value::Object(mut schema) = member("resourceSpans", member("scopeSpans", spans)) else {
            return schemars::Schema::default();
        };
        schema.insert("description".to_owned(), "`ExportTraceServiceRequest` of OTLP, in its JSON form.".into());
        let example = serde_json::json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span::example()] }] }] });
        schema.insert("examples".to_owned(), serde_json::json!([example]));
        schema.into()
    }
}
