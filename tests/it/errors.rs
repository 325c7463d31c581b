use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Body;
use cruddur::api::{self, AppState};
use cruddur::clock::Clock;
use lambda_spans::ErrorType;
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, TABLE, TestApp, andrew, answer, hours, numbered, request};

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.response.extensions().get::<ErrorType>().unwrap().0, code);
    assert!(!answer.body.to_string().contains("canary"), "{}", answer.body);
}

#[tokio::test]
async fn unknown_route_is_404() {
    let app = TestApp::new().await;
    for path in ["/", "/api", "/api/activities/home/", "/api/nothing-here", "/prod/api/health-check"] {
        assert_problem(&app.get(path).await, 404, "not_found");
    }
}

#[tokio::test]
async fn unsupported_method_is_405_with_allow() {
    let app = TestApp::new().await;
    for (method, path, allow) in [
        ("DELETE", "/api/activities", "POST"),
        ("POST", "/api/activities/home", "GET,HEAD"),
        ("PUT", "/api/health-check", "GET,HEAD"),
    ] {
        let answer = app.send(request(method, path).body(Body::empty()).unwrap()).await;
        assert_problem(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn panic_is_500_without_its_message() {
    let app = TestApp::new().await;
    let clock = Clock::new(|| panic!("canary"), |at| numbered(at, 0));
    let router = api::router(AppState { clock, ..app.state.clone() });
    let answer = answer(router, request("GET", "/api/health-check").body(Body::empty()).unwrap()).await;
    assert_problem(&answer, 500, "panic");
}

#[tokio::test]
async fn corrupt_item_is_500_without_its_content() {
    let app = TestApp::new().await;
    let activity = app.posted(hours(0), 1, "canary", "1-day").await;
    let key = app.key(activity.id);
    app.client
        .update_item()
        .table_name(TABLE)
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk))
        .update_expression("SET likes_count = :bad")
        .expression_attribute_values(":bad", AttributeValue::S("canary".to_owned()))
        .send()
        .await
        .unwrap();
    assert_problem(&app.get("/api/activities/home").await, 500, "corrupt_item");
    let error = app.state.store.post(activity.id, app.now()).await.unwrap_err().to_string();
    assert!(error.contains("likes_count") && !error.contains("canary"), "{error}");
}

#[tokio::test]
async fn missing_table_is_500() {
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    assert_problem(&app.get("/api/activities/home").await, 500, "store_refused");
}

#[tokio::test]
async fn responses_contain_no_private_data() {
    let app = TestApp::new().await;
    app.posted(hours(0), 1, "hello", "1-day").await;
    let uuid = andrew().author.user_uuid.to_string();
    for path in ["/api/activities/home", "/api/activities/01a20320-a2fa-7000-8000-000000000001"] {
        let answer = app.get_as(ANDREW, path).await;
        assert_eq!(answer.status, 200);
        let text = Value::to_string(&answer.body);
        assert!(!text.contains(ANDREW) && !text.contains(&uuid), "{text}");
    }
    let post = "/api/activities/01a20320-a2fa-7000-8000-000000000001";
    app.replied(numbered(app.now(), 1), hours(0), 2, "reply").await;
    for (sub, method, path, status) in [
        (ANDREW, "GET", "/api/activities/@andrewbrown".to_owned(), 200),
        (ANDREW, "GET", format!("/api/activities/@andrewbrown/status/{}", numbered(app.now(), 1)), 200),
        (ANDREW, "GET", "/api/users/@andrewbrown/short".to_owned(), 200),
        (ANDREW, "PUT", format!("{post}/like"), 200),
        (ANDREW, "DELETE", format!("{post}/repost"), 200),
        ("demo-worf", "DELETE", post.to_owned(), 403),
        (ANDREW, "DELETE", post.to_owned(), 200),
    ] {
        let answer = app.ask_as(sub, method, &path).await;
        let text = Value::to_string(&answer.body);
        assert_eq!(answer.status, status, "{text}");
        assert!(!text.contains("demo-") && !text.contains("sub"), "{text}");
    }
}
