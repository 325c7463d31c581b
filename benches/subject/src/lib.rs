//! The handler that all subjects share. It creates two spans with four attributes each, or as many as `SPANS` says, and
//! counts allocations. The tracing library adds another span for the invocation.

mod allocations;

use std::sync::LazyLock;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use tracing::{Instrument as _, info_span};

/// A response for API Gateway, with the allocations so far.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    body: &'static str,
    allocations: u64,
    allocated_bytes: u64,
}

/// `SPANS`, less the two spans of every invocation.
static ADDITIONAL_SPANS: LazyLock<i64> = LazyLock::new(|| {
    let spans = std::env::var("SPANS").ok();
    spans.map_or(0, |spans| spans.parse::<i64>().expect("SPANS is a number") - 2)
});

/// Starts counting allocations if `COUNT_ALLOCATIONS` is set. Counting takes time, so timed runs do not count.
pub fn begin() {
    if std::env::var_os("COUNT_ALLOCATIONS").is_some() {
        allocations::start_counting();
    }
}

/// Handles one request.
///
/// # Errors
/// Never. All runtimes require this return type.
pub async fn handle(event: LambdaEvent<ApiGatewayProxyRequest>) -> Result<Response, Error> {
    let path = event.payload.path.as_deref().unwrap_or_default();
    for row in 0..*ADDITIONAL_SPANS {
        let read = info_span!("read-row", app.path = path, app.row = row, app.bucket = "2026-47", app.cached = false);
        async {}.instrument(read).await;
    }
    let read = info_span!("read-feed", app.path = path, app.limit = 20, app.bucket = "2026-47", app.cached = false);
    let rows = async { 20 }.instrument(read).await;
    let render = info_span!("render", app.rows = rows, app.format = "json", app.locale = "en", app.compact = true);
    let body = async { "[]" }.instrument(render).await;
    let (allocations, allocated_bytes) = allocations::so_far();
    Ok(Response { status_code: 200, body, allocations, allocated_bytes })
}
