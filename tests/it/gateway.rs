use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use cruddur::api;
use lambda_http::{Context, RequestExt};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{ANDREW, TestApp, hours, token};

/// The function's response to `event`, parsed by lambda_http as in Lambda.
pub(crate) async fn invoke(app: &TestApp, event: &Value, context: Context) -> (u16, Value) {
    let request = lambda_http::request::from_str(&event.to_string()).unwrap().with_lambda_context(context);
    let response = api::gateway(app.router()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    assert!(parts.headers[CONTENT_TYPE].to_str().unwrap().ends_with("json"));
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap())
}

fn event(path: &str, stage: &str, context_path: Option<&str>) -> Value {
    let context = json!({ "stage": stage, "path": context_path, "httpMethod": "GET", "authorizer": null });
    json!({ "resource": "/{proxy+}", "path": path, "httpMethod": "GET", "headers": {}, "requestContext": context })
}

#[tokio::test]
async fn stage_in_the_path_is_ignored() {
    let app = TestApp::new().await;
    for (path, stage, context_path) in [
        ("/api/health-check", "prod", Some("/prod/api/health-check")),
        ("/prod/api/health-check", "prod", Some("/prod/api/health-check")),
        ("/prod/api/health-check", "prod", None),
        ("/api/health-check", "Prod", Some("/api/health-check")),
        ("/api/health-check", "$default", Some("/api/health-check")),
        ("/api/health-check", "", None),
        ("/api/health-check", "api", Some("/api/api/health-check")),
        ("/api/health-check", "api-v2", Some("/api-v2/api/health-check")),
    ] {
        let (status, body) = invoke(&app, &event(path, stage, context_path), Context::default()).await;
        assert_eq!((status, body), (200, json!({ "success": true, "ver": 1 })), "{path} in {stage}");
    }
}

#[tokio::test]
async fn stage_is_removed_once() {
    let app = TestApp::new().await;
    let twice = event("/prod/prod/api/health-check", "prod", Some("/prod/prod/api/health-check"));
    assert_eq!(invoke(&app, &twice, Context::default()).await.0, 404);
}

#[tokio::test]
async fn query_survives_stage_removal() {
    let app = TestApp::new().await;
    for number in 0..3 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    let mut event = event("/api/activities/home", "prod", Some("/prod/api/activities/home"));
    event["queryStringParameters"] = json!({ "limit": "2" });
    let (status, body) = invoke(&app, &event, Context::default()).await;
    assert_eq!((status, body.as_array().unwrap().len()), (200, 2));
}

#[tokio::test]
async fn authorizer_claims_are_ignored() {
    let app = TestApp::new().await;
    let mut event = event("/api/activities", "prod", Some("/prod/api/activities"));
    event["httpMethod"] = json!("POST");
    event["headers"] =
        json!({ "authorization": "Bearer x", "x-user": "demo-worf", "content-type": "application/json" });
    event["body"] = json!(r#"{"message": "x", "ttl": "1-day"}"#);
    let says_worf = json!({ "claims": { "sub": "demo-worf" } });
    for authorizer in [json!(null), json!({}), says_worf.clone()] {
        event["requestContext"]["authorizer"] = authorizer;
        assert_eq!(invoke(&app, &event, Context::default()).await.0, 401);
    }
    event["headers"]["authorization"] = json!(format!("Bearer {}", token(ANDREW)));
    let (status, body) = invoke(&app, &event, Context::default()).await;
    assert_eq!((status, &body["handle"]), (200, &json!("andrewbrown")));
}

#[tokio::test]
async fn invocation_deadline_ends_the_request() {
    let app = TestApp::new().await;
    let deadline = |ms: i64| {
        let mut context = Context::default();
        context.deadline = u64::try_from(app.now().as_millisecond() + ms).unwrap();
        context
    };
    let event = event("/api/activities/home", "prod", None);
    let unavailable = StatusCode::SERVICE_UNAVAILABLE.as_u16();
    assert_eq!(invoke(&app, &event, deadline(300)).await.0, unavailable);
    assert_eq!(invoke(&app, &event, deadline(10_000)).await.0, 200);
    assert_eq!(invoke(&app, &event, deadline(-5)).await.0, 200);
}

#[tokio::test]
async fn hostile_event_is_rejected() {
    let app = TestApp::new().await;
    let long = "x".repeat(50_000);
    for (path, status) in [
        ("/api/activities/a b", 404),
        ("/api/activities/é", 404),
        ("/api/activities/\u{0}", 404),
        ("/api/activities/\u{7f}\r\n", 404),
        ("/api/activities/\u{fffd}", 404),
        ("/api/activities/%", 404),
        ("/api/activities/%ff", 400),
        ("/api/activities/%00", 404),
        ("/api/..//api/x", 404),
        ("//api//x", 404),
        (&format!("/api/activities/{long}"), 404),
    ] {
        let mut event = event(path, "prod", Some(&format!("/prod{path}")));
        event["headers"] = json!({ "x-note": "é\u{fffd}", "user-agent": long, "x-amzn-trace-id": "Root=é" });
        event["multiValueHeaders"] = json!({ "x-note": ["é\u{fffd}", "ü"], "content-type": ["a", "b"] });
        event["multiValueQueryStringParameters"] = json!({ "cursor": ["é\u{0}"], "limit": ["-1"], "\u{0}": ["é"] });
        assert_eq!(invoke(&app, &event, Context::default()).await.0, status, "{path:.40?}");
    }
}
