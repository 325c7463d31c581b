use axum::Router;
use axum::http::StatusCode;
use cruddur::store;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{TestApp, sdk};

/// An app whose DynamoDB always returns this status and error.
pub(crate) async fn app_with_failing_dynamodb(status: StatusCode, error: &'static str) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{error}"), "message": "canary" });
    let router = Router::new().fallback(async move || (status, body.to_string()));
    tokio::spawn(async { axum::serve(listener, router).await });
    TestApp::on(store::client(&sdk(&url)))
}

#[tokio::test]
async fn unreachable_dynamodb_is_503() {
    let home = TestApp::unreachable().get("/api/activities/home").await;
    home.assert_error(503, "unavailable");
}

#[tokio::test]
async fn silent_dynamodb_is_503_within_two_seconds() {
    let (app, _listener) = TestApp::with_silent_dynamodb().await;
    let began = std::time::Instant::now();
    let home = app.get("/api/activities/home").await;
    home.assert_error(503, "unavailable");
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
}
