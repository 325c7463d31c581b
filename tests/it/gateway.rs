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

/// An event as API Gateway sends it: with the resource and the values of its variables.
fn event_for(resource: &str, variables: Value, path: &str, stage: &str, sent: &str) -> Value {
    let mut event = event(path, stage, Some(sent));
    event["resource"] = json!(resource);
    event["requestContext"]["resourcePath"] = json!(resource);
    event["pathParameters"] = variables;
    event
}

#[tokio::test]
async fn request_is_routed_by_its_resource_at_every_address() {
    let app = TestApp::new().await;
    for (path, stage, sent) in [
        ("/api/users/@worf/short", "prod", "/prod/api/users/@worf/short"),
        ("/api/users/@worf/short", "api", "/api/api/users/@worf/short"),
        ("/api/users/@worf/short", "api", "/api/users/@worf/short"),
        ("/api/users/@worf/short", "users", "/users/api/users/@worf/short"),
        ("/api/users/@worf/short", "test-invoke-stage", "/api/users/@worf/short"),
        ("/api/users/@worf/short", "prod", "/api/users/@worf/short"),
        ("/prod/api/users/@worf/short", "prod", "/prod/api/users/@worf/short"),
        ("/api/api/users/@worf/short", "api", "/api/api/users/@worf/short"),
        ("/v1/api/users/@worf/short", "prod", "/v1/api/users/@worf/short"),
        ("/v1/api/users/@worf/short", "v1", "/v1/api/users/@worf/short"),
        ("/v1/prod/api/users/@worf/short", "prod", "/v1/prod/api/users/@worf/short"),
        ("/social/v1/api/users/@worf/short", "prod", "/social/v1/api/users/@worf/short"),
        ("/api/v1/api/users/@worf/short", "api", "/api/v1/api/users/@worf/short"),
        ("/api/users/@worf/short/", "prod", "/prod/api/users/@worf/short/"),
        ("/api/users/@worf/short", "Prod", "/api/users/{handle}/short"),
        ("/", "$default", "/"),
    ] {
        let event = event_for("/api/users/{handle}/short", json!({ "handle": "@worf" }), path, stage, sent);
        let (status, body) = invoke(&app, &event, Context::default()).await;
        assert_eq!((status, &body["handle"]), (200, &json!("worf")), "{path} in {stage}");
        let event = event_for("/api/health-check", json!(null), "/v1/api/health-check", stage, "/v1/api/health-check");
        assert_eq!(invoke(&app, &event, Context::default()).await.0, 200, "{stage}");
        for proxy in ["api/users/@worf/short", "/api/users/@worf/short"] {
            let greedy = event_for("/{proxy+}", json!({ "proxy": proxy }), path, stage, sent);
            assert_eq!(invoke(&app, &greedy, Context::default()).await.0, 200, "{path} in {stage}, greedy {proxy}");
        }
    }
}

#[tokio::test]
async fn path_variable_may_be_encoded_or_decoded() {
    let app = TestApp::new().await;
    for (value, status) in [
        ("@worf", 200),
        ("%40worf", 200),
        ("%40%77orf", 200),
        ("@w%6Frf", 200),
        ("%2540worf", 404),
        ("@worf/", 404),
        ("@worf/short", 404),
        ("@worf%2Fshort", 404),
        ("@worf?limit=1", 404),
        ("@worf#", 404),
        ("..", 404),
        ("%2e%2e", 404),
        ("@", 404),
        ("", 404),
        ("%", 404),
        ("%4", 404),
        ("%zz", 404),
        ("%00", 404),
        ("%ff", 404),
        ("@%ff", 400),
        ("\u{0}", 404),
        ("é \u{7f}\r\n", 404),
        ("{handle}", 404),
        (&"x".repeat(50_000), 404),
    ] {
        let path = format!("/v1/api/users/{value}/short");
        let event = event_for("/api/users/{handle}/short", json!({ "handle": value }), &path, "prod", &path);
        assert_eq!(invoke(&app, &event, Context::default()).await.0, status, "{value:.40?}");
    }
}

#[tokio::test]
async fn link_to_the_next_page_works_under_a_base_path() {
    let app = TestApp::new().await;
    for number in 0..2 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    let path = "/v1/api/activities/home";
    let mut event = event_for("/api/activities/home", json!(null), path, "prod", path);
    event["queryStringParameters"] = json!({ "limit": "1" });
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let response = api::gateway(app.router()).oneshot(request).await.unwrap();
    assert!(response.headers()["link"].to_str().unwrap().starts_with("<?cursor="));
    assert!(response.headers().get("location").is_none());
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
