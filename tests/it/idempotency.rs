use axum::body::Body;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ANDREW, Answer, TestApp, hours, request, signed_in};

const HELLO: &str = r#"{"message": "Hello", "ttl": "1-hour"}"#;
const OTHER: &str = r#"{"message": "Other", "ttl": "1-hour"}"#;

async fn post(app: &TestApp, sub: &str, key: &str, body: &str) -> Answer {
    app.send_with_key(sub, "POST", "/api/activities", Some(key), body.to_owned()).await
}

#[tokio::test]
async fn concurrent_posts_with_one_key_create_one_post() {
    let app = TestApp::new().await;
    let answers = join_all((0..100).map(|_| post(&app, ANDREW, "one", HELLO))).await;
    let first = &answers[0].body;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, first));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true"));
    assert_eq!(replayed.count(), 99);
    assert_eq!(app.get("/api/activities/home?limit=100").await.messages(), ["Hello"]);
}

#[tokio::test]
async fn replay_is_identical_to_the_first_response() {
    let app = TestApp::new().await;
    let first = post(&app, ANDREW, "k", HELLO).await;
    app.pass(SignedDuration::from_secs(1));
    let again = post(&app, ANDREW, "k", HELLO).await;
    let expected = json!({
        "uuid": "01a20320-a2fa-7000-8000-000000000000",
        "display_name": "Andrew Brown",
        "handle": "andrewbrown",
        "message": "Hello",
        "created_at": "2026-11-22T12:00:00.250Z",
        "expires_at": "2026-11-22T13:00:00.250Z",
        "reply_to_activity_uuid": null,
    });
    assert_eq!((&first.body, first.header("idempotent-replayed")), (&expected, None));
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&expected, Some("true")));
}

#[tokio::test]
async fn reused_key_with_another_body_is_422() {
    let app = TestApp::new().await;
    post(&app, ANDREW, "k", HELLO).await;
    let other = post(&app, ANDREW, "k", OTHER).await;
    other.assert_error(422, "idempotency_key_reused");
    assert_eq!(app.get("/api/activities/home").await.messages(), ["Hello"]);
}

#[tokio::test]
async fn concurrent_bodies_with_one_key_create_one_post() {
    let app = TestApp::new().await;
    let answers = join_all((0..50).map(|n| post(&app, ANDREW, "one", if n % 2 == 0 { HELLO } else { OTHER }))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 25);
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 25);
    assert_eq!(app.get("/api/activities/home?limit=100").await.messages().len(), 1);
}

#[tokio::test]
async fn keys_are_separate_for_each_user() {
    let app = TestApp::new().await;
    let andrews = post(&app, ANDREW, "k", HELLO).await;
    let worfs = post(&app, "demo-worf", "k", HELLO).await;
    assert_eq!((andrews.status, worfs.status), (200, 200));
    assert_eq!((&andrews.body["handle"], &worfs.body["handle"]), (&json!("andrewbrown"), &json!("worf")));
    assert_eq!(worfs.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn expired_post_is_replayed() {
    let app = TestApp::new().await;
    let first = post(&app, ANDREW, "k", HELLO).await;
    app.pass(hours(24) - SignedDuration::from_millis(1));
    let again = post(&app, ANDREW, "k", HELLO).await;
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, Some("true")));
    assert_eq!(app.get("/api/activities/home").await.body, json!([]));
}

#[tokio::test]
async fn key_expires_after_24_hours() {
    let app = TestApp::new().await;
    let first = post(&app, ANDREW, "k", HELLO).await;
    app.pass(hours(24));
    let again = post(&app, ANDREW, "k", OTHER).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, None));
    assert_ne!(again.body["uuid"], first.body["uuid"]);
}

#[tokio::test]
async fn replay_tolerates_five_minutes_of_clock_skew() {
    for minutes in [-5, 5] {
        let app = TestApp::new().await;
        let first = post(&app, ANDREW, "k", HELLO).await;
        app.pass(SignedDuration::from_mins(minutes));
        let again = post(&app, ANDREW, "k", HELLO).await;
        assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, Some("true")), "{minutes}");
    }
}

#[tokio::test]
async fn rejected_post_does_not_use_its_key() {
    let app = TestApp::new().await;
    assert_eq!(post(&app, ANDREW, "k", r#"{"message": "", "ttl": "1-hour"}"#).await.status, 422);
    assert_eq!(post(&app, "nobody", "k", HELLO).await.status, 403);
    let made = post(&app, ANDREW, "k", HELLO).await;
    assert_eq!((made.status, made.header("idempotent-replayed")), (200, None));
}

#[tokio::test]
async fn key_accepts_1_to_255_visible_ascii_characters() {
    let app = TestApp::new().await;
    assert_eq!(post(&app, ANDREW, &"!".repeat(255), HELLO).await.status, 200);
    let long = "x".repeat(256);
    for key in ["", "a b", "é", &long] {
        post(&app, ANDREW, key, HELLO).await.assert_error(400, "bad_request");
    }
    let request = request("POST", "/api/activities").header("content-type", "application/json");
    let twice = request.header("idempotency-key", "a").header("idempotency-key", "b").body(Body::from(HELLO)).unwrap();
    assert_eq!(app.send(signed_in(twice, ANDREW)).await.status, 400);
}
