use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, request, signed_in};

async fn refused(body: Value) -> (u16, Value) {
    let app = TestApp::new().await;
    let answer = app.post(body.to_string()).await;
    assert_eq!(app.get("/api/activities/home").await.body, json!([]), "nothing was written");
    (answer.status, answer.body)
}

#[tokio::test]
async fn created_post_is_returned_and_in_the_next_feed() {
    let app = TestApp::new().await;
    let created = app.post(r#"{"message": "  Hello\nworld  ", "ttl": "7-days"}"#).await;
    let expected = json!({
        "uuid": "01a20320-a2fa-7000-8000-000000000000",
        "display_name": "Andrew Brown",
        "handle": "andrewbrown",
        "message": "Hello\nworld",
        "created_at": "2026-11-22T12:00:00.250Z",
        "expires_at": "2026-11-29T12:00:00.250Z",
        "reply_to_activity_uuid": null,
    });
    assert_eq!((created.status, created.body), (200, expected));
    assert_eq!(app.get("/api/activities/home").await.messages(), ["Hello\nworld"]);
}

#[tokio::test]
async fn one_violation_is_one_code() {
    assert_eq!(refused(json!({ "message": " \n ", "ttl": "1-day" })).await, (422, json!(["message_blank"])));
    assert_eq!(refused(json!({ "message": null, "ttl": "1-day" })).await, (422, json!(["message_blank"])));
    assert_eq!(refused(json!({ "message": "x" })).await, (422, json!(["ttl_blank"])));
    assert_eq!(refused(json!({ "message": "x", "ttl": "2-weeks" })).await, (422, json!(["ttl_blank"])));
    let long = "é".repeat(281);
    assert_eq!(refused(json!({ "message": long, "ttl": "1-day" })).await, (422, json!(["message_exceed_max_chars"])));
    assert_eq!(refused(json!({ "message": "a\u{b}b", "ttl": "1-day" })).await, (422, json!(["message_control_chars"])));
}

#[tokio::test]
async fn all_violations_are_reported_at_once() {
    assert_eq!(refused(json!({})).await, (422, json!(["ttl_blank", "message_blank"])));
    let long = format!("\u{1b}{}", "x".repeat(280));
    let codes = json!(["ttl_blank", "message_exceed_max_chars", "message_control_chars"]);
    assert_eq!(refused(json!({ "message": long, "ttl": "" })).await, (422, codes));
}

#[tokio::test]
async fn violations_are_a_problem_if_the_client_accepts_one() {
    let app = TestApp::new().await;
    let request = request("POST", "/api/activities")
        .header("content-type", "application/json")
        .header("accept", "text/html, application/problem+json;q=0.9")
        .body(Body::from("{}"))
        .unwrap();
    let answer = app.send(signed_in(request, ANDREW)).await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = &answer.body;
    assert_eq!((answer.status, &problem["status"], &problem["code"]), (422, &json!(422), &json!("invalid")));
    assert_eq!(problem["codes"], json!(["ttl_blank", "message_blank"]));
}

#[tokio::test]
async fn message_limit_counts_280_characters() {
    let app = TestApp::new().await;
    let message = "🦀".repeat(280);
    let created = app.post(json!({ "message": message, "ttl": "1-hour" }).to_string()).await;
    assert_eq!((created.status, created.body["message"].as_str()), (200, Some(message.as_str())));
}

#[tokio::test]
async fn every_original_ttl_is_accepted() {
    let app = TestApp::new().await;
    for (ttl, expires_at) in [
        ("30-days", "2026-12-22T12:00:00.250Z"),
        ("7-days", "2026-11-29T12:00:00.250Z"),
        ("3-days", "2026-11-25T12:00:00.250Z"),
        ("1-day", "2026-11-23T12:00:00.250Z"),
        ("12-hours", "2026-11-23T00:00:00.250Z"),
        ("3-hours", "2026-11-22T15:00:00.250Z"),
        ("1-hour", "2026-11-22T13:00:00.250Z"),
    ] {
        let created = app.post(json!({ "message": "x", "ttl": ttl }).to_string()).await;
        assert_eq!(created.body["expires_at"], expires_at, "{ttl}");
    }
}

#[tokio::test]
async fn anonymous_post_is_401_before_other_checks() {
    let app = TestApp::new().await;
    let bodies = ["{}", "not json", r#"{"message": "x", "ttl": "1-day"}"#, ""].map(str::to_owned);
    for body in bodies.into_iter().chain(["x".repeat(70_000)]) {
        for content_type in ["application/json", "text/plain"] {
            let request = request("POST", "/api/activities").header("content-type", content_type);
            let answer = app.send(request.body(Body::from(body.clone())).unwrap()).await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
            assert_eq!(answer.body["code"], "unauthenticated");
        }
    }
}

#[tokio::test]
async fn user_without_profile_cannot_post() {
    let app = TestApp::new().await;
    let request = request("POST", "/api/activities").header("content-type", "application/json");
    let body = Body::from(r#"{"message": "x", "ttl": "1-day"}"#);
    let answer = app.send(signed_in(request.body(body).unwrap(), "nobody")).await;
    answer.assert_error(403, "no_profile");
}
