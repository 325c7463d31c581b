//! The anonymous first page of the home feed is kept for a second.

use cruddur::api::{AppState, Compat, Identity};
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ANDREW, Answer, TestApp, WORF, hours};

const HOME: &str = "/api/activities/home";

/// An app with one router for all requests, and a post.
async fn app() -> TestApp {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "kept", "1-day").await;
    app.cache_router();
    app
}

/// Deletes the only post without the store, as another process does.
async fn delete_elsewhere(app: &TestApp, answer: &Answer) {
    let id = cruddur::domain::Id::parse(answer.body[0]["uuid"].as_str().unwrap()).unwrap();
    app.delete_item(app.key(id)).await;
}

#[tokio::test]
async fn anonymous_home_is_kept_for_a_second() {
    let app = app().await;
    let first = app.get(HOME).await;
    delete_elsewhere(&app, &first).await;
    app.pass(SignedDuration::from_millis(999));
    let kept = app.get(HOME).await;
    assert_eq!((kept.status, &kept.body), (200, &first.body));
    assert_eq!(kept.header("content-type"), Some("application/json"));
    app.pass(SignedDuration::from_millis(1));
    assert_eq!(app.get(HOME).await.body, json!([]));
}

#[tokio::test]
async fn home_is_kept_for_each_limit() {
    let app = app().await;
    app.posted(hours(2), 2, "older", "1-day").await;
    let pages = app.pages(None, HOME, "?limit=1").await;
    assert_eq!(pages.iter().flat_map(Answer::messages).collect::<Vec<_>>(), ["kept", "older"]);
    assert_eq!(app.get(HOME).await.messages(), ["kept", "older"]);
    let again = app.get("/api/activities/home?limit=1").await;
    assert_eq!((again.messages(), again.next()), (vec!["kept"], pages[0].next()));
}

#[tokio::test]
async fn expired_post_is_not_in_a_kept_answer() {
    let app = app().await;
    app.posted(SignedDuration::from_mins(60) - SignedDuration::from_millis(500), 2, "short", "1-hour").await;
    assert_eq!(app.get(HOME).await.messages(), ["short", "kept"]);
    app.pass(SignedDuration::from_millis(499));
    assert_eq!(app.get(HOME).await.messages(), ["short", "kept"]);
    app.pass(SignedDuration::from_millis(1));
    assert_eq!(app.get(HOME).await.messages(), ["kept"]);
}

#[tokio::test]
async fn signed_in_user_never_gets_a_kept_answer() {
    let app = app().await;
    let first = app.get(HOME).await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=1"));
    assert_eq!(first.header("vary"), Some("authorization, origin"));
    delete_elsewhere(&app, &first).await;
    let own = app.get_as(WORF, HOME).await;
    assert_eq!((own.body.clone(), own.header("cache-control")), (json!([]), Some("no-store")));
}

#[tokio::test]
async fn own_write_is_visible_at_once() {
    let app = app().await;
    let id = app.get(HOME).await.body[0]["uuid"].as_str().unwrap().to_owned();
    let home = async || app.get(HOME).await.body[0].clone();
    app.put_as(WORF, &format!("/api/activities/{id}/like")).await;
    assert_eq!(home().await["likes_count"], 1);
    app.post_as(WORF, &format!("/api/activities/{id}/reply"), &json!({ "message": "y" })).await;
    assert_eq!(home().await["replies_count"], 1);
    app.post(json!({ "message": "new", "ttl": "1-day" }).to_string()).await;
    assert_eq!(home().await["message"], "new");
    app.send_with_key(
        ANDREW,
        "POST",
        "/api/activities",
        Some("k"),
        json!({ "message": "newer", "ttl": "1-day" }).to_string(),
    )
    .await;
    let newest = home().await;
    assert_eq!(newest["message"], "newer");
    app.ask_as(ANDREW, "DELETE", &format!("/api/activities/{}", newest["uuid"].as_str().unwrap())).await;
    assert_eq!(home().await["message"], "new");
    app.rename(&crate::support::andrew(), "Andy").await;
    app.state.store.propagate_display_name(ANDREW).await.unwrap();
    assert_eq!(home().await["display_name"], "Andy");
}

#[tokio::test]
async fn week2_home_is_kept_with_its_replies() {
    let mut app = app().await;
    let id = app.get(HOME).await.body[0]["uuid"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    let id = cruddur::domain::Id::from_uuid(id).unwrap();
    app.replied(id, hours(0), 2, "y").await;
    app.state = AppState { identity: Identity::fixed(ANDREW.to_owned()), compat: Compat::Week2, ..app.state.clone() };
    app.cache_router();
    let first = app.get(HOME).await;
    assert_eq!(first.body[0]["replies"][0]["message"], "y");
    assert_eq!(first.body[0].get("liked"), None);
    delete_elsewhere(&app, &first).await;
    assert_eq!(app.get(HOME).await.body, first.body);
}
