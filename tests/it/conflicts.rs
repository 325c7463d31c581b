use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use cruddur::store;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{TestApp, sdk};

const LIKE: &str = "/api/activities/01a202e9-b47a-7000-8000-000000000001/like";

/// An app whose DynamoDB reports a transaction conflict for the first `busy` attempts.
async fn app_with_contended_post(busy: u32) -> (TestApp, Arc<AtomicU32>) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let router = Router::new().fallback(async move |headers: HeaderMap, _: Bytes| -> Response {
        let target = headers["x-amz-target"].to_str().unwrap();
        match target.rsplit('.').next().unwrap() {
            "GetItem" => Json(json!({ "Item": profile() })).into_response(),
            "BatchGetItem" => Json(json!({ "Responses": { "cruddur-test": [post()] } })).into_response(),
            _ if counted.fetch_add(1, Ordering::Relaxed) < busy => {
                let reasons = json!([{ "Code": "None" }, { "Code": "TransactionConflict" }]);
                let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
                let body = json!({ "__type": kind, "CancellationReasons": reasons });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            _ => Json(json!({})).into_response(),
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    (TestApp::on(store::client(&sdk(&url))), attempts)
}

fn profile() -> serde_json::Value {
    json!({
        "sub": { "S": "demo-worf" }, "user_uuid": { "S": "00000000-0000-0000-0000-000000000002" },
        "handle": { "S": "worf" }, "display_name": { "S": "Worf" }, "bio": { "S": "" }, "named_at": { "N": "0" },
    })
}

fn post() -> serde_json::Value {
    json!({
        "pk": { "S": "HOME#2026-11-03#0" }, "sk": { "S": "1795345200250#01a202e9-b47a-7000-8000-000000000001" },
        "author_sub": { "S": "demo-andrewbrown" }, "user_uuid": { "S": "00000000-0000-0000-0000-000000000001" },
        "handle": { "S": "andrewbrown" }, "display_name": { "S": "Andrew Brown" }, "message": { "S": "x" },
        "expires_at_ms": { "N": "1795431600250" },
        "replies_count": { "N": "0" }, "reposts_count": { "N": "0" }, "likes_count": { "N": "41" },
    })
}

#[tokio::test]
async fn contended_likes_are_retried() {
    let (app, attempts) = app_with_contended_post(3).await;
    let liked = app.ask_as("demo-worf", "PUT", LIKE).await;
    assert_eq!((liked.status, &liked.body["likes_count"]), (200, &json!(42)));
    assert_eq!(attempts.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn contended_post_is_503_after_six_attempts() {
    let (app, attempts) = app_with_contended_post(u32::MAX).await;
    let liked = app.ask_as("demo-worf", "PUT", LIKE).await;
    liked.assert_error(503, "throttled");
    assert_eq!(liked.header("retry-after"), Some("1"));
    assert_eq!(attempts.load(Ordering::Relaxed), 6);
}
