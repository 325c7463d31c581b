use axum::body::Body;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ANDREW, Answer, TestApp, WORF, hours, request};

const REPLY: &str = r#"{"message": "This post has no honor!"}"#;

fn path(id: impl ToString) -> String {
    format!("/api/activities/{}/reply", id.to_string())
}

#[tokio::test]
async fn created_reply_expires_with_its_parent() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 9, "parent", "3-hours").await;
    let made = app.send_as(WORF, "POST", &path(parent.id), REPLY).await;
    let expected = json!({
        "uuid": "01a20320-a2fa-7000-8000-000000000000",
        "display_name": "Worf",
        "handle": "worf",
        "message": "This post has no honor!",
        "created_at": "2026-11-22T12:00:00.250Z",
        "expires_at": "2026-11-22T14:00:00.250Z",
        "reply_to_activity_uuid": "01a202e9-b47a-7000-8000-000000000009",
    });
    assert_eq!((made.status, made.body), (200, expected));
    let shown = app.get(&format!("/api/activities/{}", parent.id)).await;
    assert_eq!(shown.body["activity"]["replies_count"], 1);
    assert_eq!(shown.body["replies"][0]["message"], "This post has no honor!");
    assert_eq!(app.get("/api/activities/home").await.messages(), ["parent"], "home has no replies");
}

#[tokio::test]
async fn reply_can_be_shown_and_replied_to() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 9, "parent", "3-hours").await;
    let first = app.send_as(WORF, "POST", &path(parent.id), REPLY).await;
    let first = first.body["uuid"].as_str().unwrap();
    let second = app.send_as(ANDREW, "POST", &path(first), r#"{"message": "Why?"}"#).await;
    assert_eq!((second.status, &second.body["reply_to_activity_uuid"]), (200, &json!(first)));
    let third = app.send_as(WORF, "POST", &path(second.body["uuid"].as_str().unwrap()), REPLY).await;
    assert_eq!(third.body["expires_at"], "2026-11-22T14:00:00.250Z");

    let shown = app.get(&format!("/api/activities/{first}")).await;
    let expected = json!({
        "uuid": "01a20320-a2fa-7000-8000-000000000000", "display_name": "Worf", "handle": "worf",
        "message": "This post has no honor!", "replies_count": 1, "reposts_count": 0, "likes_count": 0,
        "expires_at": "2026-11-22T14:00:00.250Z", "created_at": "2026-11-22T12:00:00.250Z",
        "reply_to_activity_uuid": "01a202e9-b47a-7000-8000-000000000009",
    });
    assert_eq!((shown.status, &shown.body["activity"]), (200, &expected));
    assert_eq!(shown.body["replies"][0]["message"], "Why?");
    app.pass(hours(2));
    assert_eq!(app.get(&format!("/api/activities/{first}")).await.status, 404, "the reply has expired with the post");
}

#[tokio::test]
async fn reply_to_a_missing_or_expired_post_is_404() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await.id;
    app.pass(hours(1));
    for id in [parent.to_string(), "0199c3a0-5e00-7a11-8b22-c33d44e55f66".to_owned(), "abc".to_owned()] {
        let answer = app.send_as(WORF, "POST", &path(&id), REPLY).await;
        answer.assert_error(404, "not_found");
    }
}

#[tokio::test]
async fn invalid_reply_is_422() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await.id;
    for (body, codes) in [
        (json!({}), json!(["message_blank"])),
        (json!({ "message": " \n" }), json!(["message_blank"])),
        (json!({ "message": "é".repeat(1025) }), json!(["message_exceed_max_chars_1024"])),
        (json!({ "message": "a\u{0}" }), json!(["message_control_chars"])),
    ] {
        let answer = app.send_as(WORF, "POST", &path(parent), body.to_string()).await;
        assert_eq!((answer.status, answer.body), (422, codes));
    }
    let longest = json!({ "message": "é".repeat(1024) }).to_string();
    assert_eq!(app.send_as(WORF, "POST", &path(parent), longest).await.status, 200);
}

#[tokio::test]
async fn parent_id_in_the_body_must_match_the_path() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await.id.to_string();
    for (named, status) in [
        (json!(parent), 200),
        (json!(parent.to_uppercase()), 200),
        (json!(null), 200),
        (json!("0199c3a0-5e00-7a11-8b22-c33d44e55f66"), 400),
        (json!(""), 400),
    ] {
        let body = json!({ "message": "x", "activity_uuid": named }).to_string();
        assert_eq!(app.send_as(WORF, "POST", &path(&parent), body).await.status, status, "{named}");
    }
}

#[tokio::test]
async fn reply_requires_a_profile() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await.id;
    let anonymous = request("POST", &path(parent)).header("content-type", "application/json");
    assert_eq!(app.send(anonymous.body(Body::from(REPLY)).unwrap()).await.status, 401);
    assert_eq!(app.send_as("nobody", "POST", &path(parent), REPLY).await.status, 403);
}

#[tokio::test]
async fn fifty_concurrent_replies_are_all_counted() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await.id;
    let uri = path(parent);
    let answers = join_all((0..50).map(|_| app.send_as(WORF, "POST", &uri, REPLY))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let shown = app.get(&format!("/api/activities/{parent}")).await;
    assert_eq!(shown.body["activity"]["replies_count"], 50);
    assert_eq!(shown.body["replies"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn replies_with_one_key_create_one_reply() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await.id;
    let reply = || {
        let app = &app;
        async move { app.send_with_key(WORF, "POST", &path(parent), Some("k"), REPLY).await }
    };
    let answers = join_all((0..20).map(|_| reply())).await;
    let first = &answers[0].body;
    assert!(answers.iter().all(|answer| (answer.status, &answer.body) == (200, first)));
    let shown = app.get(&format!("/api/activities/{parent}")).await;
    assert_eq!(shown.body["activity"]["replies_count"], 1);
    app.pass(hours(2));
    let again = reply().await;
    assert_eq!((again.status, &again.body, again.header("idempotent-replayed")), (200, first, Some("true")));
}

#[tokio::test]
async fn reply_pages_are_oldest_first_without_repeats() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(2), 1, "parent", "1-day").await.id;
    for number in 0..7_u32 {
        let ago = hours(1) - SignedDuration::from_secs(number.into());
        app.replied(parent, ago, number.into(), &number.to_string()).await;
    }
    let pages = app.pages(None, &format!("/api/activities/{parent}"), "?limit=3").await;
    let messages = |page: &Answer| {
        let rows = page.body["replies"].as_array().unwrap().iter();
        rows.map(|row| row["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let pages: Vec<_> = pages.iter().map(messages).collect();
    assert_eq!(pages, [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]]);
    assert_eq!(app.get(&format!("/api/activities/{parent}")).await.next(), None);
}
