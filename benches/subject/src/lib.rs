//! What every subject of the benchmark does: one handler, two spans with four attributes each, and a count of
//! the allocations. With the invocation's own span, which is the tracing's part, that makes three.

mod allocations;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use tracing::{Instrument as _, info_span};

/// What a subject answers, as API Gateway takes it, and how much it has allocated so far.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    body: &'static str,
    allocations: u64,
    allocated_bytes: u64,
}

/// Counts allocations from now on, if `COUNT_ALLOCATIONS` is set; the count itself would cost time.
pub fn begin() {
    if std::env::var_os("COUNT_ALLOCATIONS").is_some() {
        allocations::count();
    }
}

/// Handles one request.
///
/// # Errors
/// Never; the type is the one that all runtimes take.
pub async fn handle(event: LambdaEvent<ApiGatewayProxyRequest>) -> Result<Answer, Error> {
    let path = event.payload.path.as_deref().unwrap_or_default();
    let read = info_span!("read-feed", app.path = path, app.limit = 20, app.bucket = "2026-47", app.cached = false);
    let rows = async { 20 }.instrument(read).await;
    let render = info_span!("render", app.rows = rows, app.format = "json", app.locale = "en", app.compact = true);
    let body = async { "[]" }.instrument(render).await;
    let (allocations, allocated_bytes) = allocations::so_far();
    Ok(Answer { status_code: 200, body, allocations, allocated_bytes })
}
