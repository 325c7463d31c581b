use axum::body::Body;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, TestApp, WORF, hours, request};

const UPDATE: &str = "/api/profile/update";

async fn update(app: &TestApp, body: &Value) -> Answer {
    app.send_as(WORF, "PUT", UPDATE, body.to_string()).await
}

#[tokio::test]
async fn new_name_and_bio_are_returned_and_visible() {
    let app = TestApp::new().await;
    for (method, name) in [("PUT", "Lieutenant Worf"), ("POST", "Ambassador Worf")] {
        let body = json!({ "display_name": format!("  {name} "), "bio": "Today is a good day.\nQapla'!" });
        let answer = app.send_as(WORF, method, UPDATE, body.to_string()).await;
        let short = json!({ "uuid": "00000000-0000-0000-0000-000000000002", "handle": "worf", "display_name": name });
        assert_eq!((answer.status, &answer.body), (200, &short));
        assert_eq!(app.get("/api/users/@worf/short").await.body, short);
        let profile = app.get("/api/activities/@worf").await.body["profile"].clone();
        assert_eq!(
            (&profile["display_name"], &profile["bio"]),
            (&json!(name), &json!("Today is a good day.\nQapla'!"))
        );
        let made = app.send_as(WORF, "POST", "/api/activities", r#"{"message": "x", "ttl": "1-hour"}"#).await;
        assert_eq!(made.body["display_name"], name);
    }
}

#[tokio::test]
async fn all_profile_violations_are_reported_at_once() {
    let app = TestApp::new().await;
    for (body, codes) in [
        (json!({}), json!(["display_name_blank"])),
        (json!({ "display_name": null, "bio": null }), json!(["display_name_blank"])),
        (json!({ "display_name": " \u{3000}" }), json!(["display_name_blank"])),
        (json!({ "display_name": "é".repeat(51) }), json!(["display_name_exceed_max_chars"])),
        (json!({ "display_name": "a\nb" }), json!(["display_name_control_chars"])),
        (json!({ "display_name": "a\u{202e}b" }), json!(["display_name_control_chars"])),
        (json!({ "display_name": "a", "bio": "é".repeat(501) }), json!(["bio_exceed_max_chars"])),
        (json!({ "display_name": "\u{2800}\u{200b}" }), json!(["display_name_blank"])),
        (json!({ "bio": "a\u{b}b" }), json!(["display_name_blank", "bio_control_chars"])),
        (json!({ "display_name": "a", "bio": "a\u{202e}b" }), json!(["bio_control_chars"])),
    ] {
        let answer = update(&app, &body).await;
        assert_eq!((answer.status, answer.body), (422, codes));
    }
    assert_eq!(app.get("/api/users/@worf/short").await.body["display_name"], "Worf");
    let longest = json!({ "display_name": "é".repeat(50), "bio": "é".repeat(500) });
    assert_eq!(update(&app, &longest).await.status, 200);
}

#[tokio::test]
async fn missing_bio_is_empty() {
    let app = TestApp::new().await;
    update(&app, &json!({ "display_name": "Worf", "bio": "something" })).await;
    update(&app, &json!({ "display_name": "Worf" })).await;
    assert_eq!(app.get("/api/activities/@worf").await.body["profile"]["bio"], "");
}

#[tokio::test]
async fn profile_update_requires_a_profile() {
    let app = TestApp::new().await;
    let body = r#"{"display_name": "x"}"#;
    let anonymous = request("PUT", UPDATE).header("content-type", "application/json");
    assert_eq!(app.send(anonymous.body(Body::from(body)).unwrap()).await.status, 401);
    assert_eq!(app.send_as("nobody", "PUT", UPDATE, body).await.status, 403);
}

#[tokio::test]
async fn renames_have_increasing_times() {
    let app = TestApp::new().await;
    let named_at = async || app.state.store.profile(WORF).await.unwrap().unwrap().named_at;
    update(&app, &json!({ "display_name": "A" })).await;
    let first = named_at().await;
    assert_eq!(first.to_string(), "2026-11-22T12:00:00.25Z");
    update(&app, &json!({ "display_name": "A", "bio": "the same name" })).await;
    assert_eq!(named_at().await, first);
    app.pass(-hours(1));
    update(&app, &json!({ "display_name": "B" })).await;
    assert_eq!(named_at().await.to_string(), "2026-11-22T12:00:00.251Z");
}

#[tokio::test]
async fn concurrent_renames_converge() {
    let app = TestApp::new().await;
    let bodies: Vec<_> = (0..8).map(|n| json!({ "display_name": format!("Worf {n}") })).collect();
    let answers = join_all(bodies.iter().map(|body| update(&app, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let short = app.get("/api/users/@worf/short").await.body["display_name"].clone();
    assert_eq!(app.get("/api/activities/@worf").await.body["profile"]["display_name"], short);
    let profile = app.state.store.profile(WORF).await.unwrap().unwrap();
    assert_eq!(profile.named_at.to_string(), "2026-11-22T12:00:00.257Z", "eight renames, a millisecond apart");
}

#[tokio::test]
async fn profile_update_with_a_key_happens_once() {
    let app = TestApp::new().await;
    let change = |sub, body: &'static str| app.send_with_key(sub, "PUT", UPDATE, Some("k"), body);
    let first = change(WORF, r#"{"display_name": "A"}"#).await;
    update(&app, &json!({ "display_name": "B" })).await;
    let again = change(WORF, r#"{"display_name": "A"}"#).await;
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, Some("true")));
    assert_eq!(app.get("/api/users/@worf/short").await.body["display_name"], "B", "the replay changes nothing");
    assert_eq!(change(WORF, r#"{"display_name": "C"}"#).await.status, 422);
    assert_eq!(change(ANDREW, r#"{"display_name": "C"}"#).await.status, 200);
}
