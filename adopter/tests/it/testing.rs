//! Unit tests of handlers, with their spans in memory.

use adopter::consumer::consume;
use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use lambda_runtime::service_fn;
use lambda_spans::testing;
use serde_json::json;

#[tokio::test]
async fn route_and_status_are_on_the_root_span() {
    let router = Router::new().route("/orders/{id}", get(async || StatusCode::NOT_FOUND));
    let invocation = testing::http(router, Request::get("/orders/7").body(()).unwrap()).await;
    let root = invocation.root();
    assert_eq!((root.name(), root.route(), root.status_code()), ("GET /orders/{id}", Some("/orders/{id}"), Some(404)));
    assert_eq!((root.error_type(), invocation.response().status()), (None, StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn delivery_is_a_span_with_its_order() {
    let message = json!({
        "messageId": "m1",
        "receiptHandle": "h",
        "body": r#"{"id": "41"}"#,
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:deliveries",
        "awsRegion": "eu-west-1"
    });
    let invocation = testing::event(service_fn(consume), json!({ "Records": [message] })).await;
    assert_eq!(invocation.root().name(), "process deliveries");
    assert_eq!(invocation.span("deliver").text("app.order"), Some("41"));
}
