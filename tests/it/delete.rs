use axum::body::Body;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{ANDREW, TestApp, WORF, hours, request};

#[tokio::test]
async fn deleted_post_is_in_no_list() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "stays", "1-day").await;
    let id = app.posted(hours(1), 2, "goes", "1-day").await.id;
    let uri = format!("/api/activities/{id}");
    let deleted = app.ask_as(ANDREW, "DELETE", &uri).await;
    assert_eq!((deleted.status, deleted.body), (200, json!({ "uuid": "01a202e9-b47a-7000-8000-000000000002" })));
    assert_eq!(app.get(&uri).await.status, 404);
    assert_eq!(app.get("/api/activities/home").await.messages(), ["stays"]);
    let feed = app.get("/api/activities/@andrewbrown").await;
    assert_eq!(
        (&feed.body["profile"]["cruds_count"], feed.body["activities"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    assert_eq!(app.ask_as(ANDREW, "DELETE", &uri).await.status, 404);
    assert_eq!(app.ask_as(WORF, "PUT", &format!("{uri}/like")).await.status, 404);
}

#[tokio::test]
async fn only_the_author_can_delete_a_post() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "mine", "1-day").await.id;
    let uri = format!("/api/activities/{id}");
    let answer = app.ask_as(WORF, "DELETE", &uri).await;
    answer.assert_error(403, "forbidden");
    assert_eq!(app.send(request("DELETE", &uri).body(Body::empty()).unwrap()).await.status, 401);
    assert_eq!(app.get(&uri).await.status, 200);
}

#[tokio::test]
async fn deleted_reply_is_not_counted() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "parent", "1-day").await.id;
    let between = app.replied(parent, hours(0), 2, "stays").await.id;
    let last = app.replied(between, hours(0), 3, "goes").await.id;
    let uri = format!("/api/activities/{last}");
    assert_eq!(app.ask_as(ANDREW, "DELETE", &uri).await.status, 403);
    assert_eq!(app.ask_as(WORF, "DELETE", &uri).await.status, 200);
    assert_eq!(app.get(&uri).await.status, 404);
    let shown = app.get(&format!("/api/activities/{between}")).await;
    assert_eq!((&shown.body["activity"]["replies_count"], &shown.body["replies"]), (&json!(0), &json!([])));
    assert_eq!(app.ask_as(WORF, "DELETE", &format!("/api/activities/{between}")).await.status, 200);
    let shown = app.get(&format!("/api/activities/{parent}")).await;
    assert_eq!((&shown.body["activity"]["replies_count"], &shown.body["replies"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn reply_to_a_deleted_post_can_be_deleted() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "parent", "1-day").await.id;
    let reply = app.replied(parent, hours(0), 2, "reply").await.id;
    assert_eq!(app.ask_as(ANDREW, "DELETE", &format!("/api/activities/{parent}")).await.status, 200);
    let uri = format!("/api/activities/{reply}");
    assert_eq!(app.ask_as(WORF, "DELETE", &uri).await.status, 200);
    assert_eq!(app.ask_as(WORF, "DELETE", &uri).await.status, 404);
}

#[tokio::test]
async fn concurrent_reply_deletions_are_counted_once() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "parent", "1-day").await.id;
    app.replied(parent, hours(0), 2, "stays").await;
    let uri = format!("/api/activities/{}", app.replied(parent, hours(0), 3, "goes").await.id);
    let answers = join_all((0..20).map(|_| app.ask_as(WORF, "DELETE", &uri))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 404]);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let shown = app.get(&format!("/api/activities/{parent}")).await;
    assert_eq!(shown.body["activity"]["replies_count"], 1);
}
