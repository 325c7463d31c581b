//! The X-Ray daemon's TCP port, from which X-Ray SDKs poll sampling rules. The only rule samples every request.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;

const RULES: &str = r#"{"NextToken":null,"SamplingRuleRecords":[{"CreatedAt":0,"ModifiedAt":0,"SamplingRule":{"RuleName":"Default","RuleARN":"arn:aws:xray:local:000000000000:sampling-rule/Default","Priority":10000,"FixedRate":1.0,"ReservoirSize":100,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","ResourceARN":"*","Version":1,"Attributes":{}}}]}"#;
const TARGETS: &str = r#"{"LastRuleModification":0,"SamplingTargetDocuments":[],"UnprocessedStatistics":[]}"#;

/// Returns the routes that the SDKs poll.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/GetSamplingRules", post(|| async { json(RULES) }))
        .route("/SamplingTargets", post(|| async { json(TARGETS) }))
}

fn json(body: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body)
}
