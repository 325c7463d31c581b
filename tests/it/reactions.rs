use axum::body::Body;
use cruddur::domain::Id;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, WORF, hours, request};

async fn counts(app: &TestApp, id: Id) -> (Value, Value) {
    let shown = app.get(&format!("/api/activities/{id}")).await;
    (shown.body["activity"]["likes_count"].clone(), shown.body["activity"]["reposts_count"].clone())
}

#[tokio::test]
async fn reactions_are_counted_once_and_reversible() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "x", "1-day").await.id;
    let uuid = "01a202e9-b47a-7000-8000-000000000001";
    for (method, what, likes, reposts, liked, reposted) in [
        ("PUT", "like", 1, 0, true, false),
        ("PUT", "like", 1, 0, true, false),
        ("PUT", "repost", 1, 1, true, true),
        ("PUT", "repost", 1, 1, true, true),
        ("DELETE", "like", 0, 1, false, true),
        ("DELETE", "like", 0, 1, false, true),
        ("DELETE", "repost", 0, 0, false, false),
        ("DELETE", "repost", 0, 0, false, false),
        ("PUT", "like", 1, 0, true, false),
    ] {
        let answer = app.ask_as(WORF, method, &format!("/api/activities/{id}/{what}")).await;
        let expected = json!({
            "uuid": uuid, "likes_count": likes, "reposts_count": reposts, "liked": liked, "reposted": reposted,
        });
        assert_eq!((answer.status, answer.body), (200, expected), "{method} {what}");
        assert_eq!(counts(&app, id).await, (json!(likes), json!(reposts)), "{method} {what}");
    }
}

#[tokio::test]
async fn reply_can_be_liked_and_reposted() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    let reply = app.replied(parent, hours(0), 2, "y").await.id;
    assert_eq!(app.ask_as(ANDREW, "PUT", &format!("/api/activities/{reply}/like")).await.status, 200);
    assert_eq!(app.ask_as(ANDREW, "PUT", &format!("/api/activities/{reply}/repost")).await.status, 200);
    assert_eq!(counts(&app, reply).await, (json!(1), json!(1)));
    assert_eq!(counts(&app, parent).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn concurrent_likes_of_one_user_count_once() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "x", "1-day").await.id;
    let uri = format!("/api/activities/{id}/like");
    let answers = join_all((0..100).map(|_| app.ask_as(WORF, "PUT", &uri))).await;
    for answer in answers {
        assert_eq!((answer.status, &answer.body["likes_count"]), (200, &json!(1)));
    }
    assert_eq!(counts(&app, id).await, (json!(1), json!(0)));
}

#[tokio::test]
async fn missing_or_expired_post_cannot_be_liked() {
    let app = TestApp::new().await;
    let id = app.posted(hours(0), 1, "x", "1-hour").await.id.to_string();
    app.pass(hours(1));
    for id in [id.as_str(), "0199c3a0-5e00-7a11-8b22-c33d44e55f66", "abc", "@worf"] {
        for method in ["PUT", "DELETE"] {
            for what in ["like", "repost"] {
                let answer = app.ask_as(WORF, method, &format!("/api/activities/{id}/{what}")).await;
                answer.assert_error(404, "not_found");
            }
        }
    }
}

#[tokio::test]
async fn like_requires_a_profile() {
    let app = TestApp::new().await;
    let id = app.posted(hours(0), 1, "x", "1-hour").await.id;
    let uri = format!("/api/activities/{id}/like");
    assert_eq!(app.send(request("PUT", &uri).body(Body::empty()).unwrap()).await.status, 401);
    assert_eq!(app.ask_as("nobody", "PUT", &uri).await.status, 403);
}

#[tokio::test]
async fn home_marks_the_likes_of_the_signed_in_user() {
    let app = TestApp::new().await;
    for (number, message) in [(1, "old"), (2, "new")] {
        app.posted(hours(3 - number), number.unsigned_abs(), message, "1-day").await;
    }
    let liked = app.get("/api/activities/home").await.body[0]["uuid"].as_str().unwrap().to_owned();
    app.ask_as(WORF, "PUT", &format!("/api/activities/{liked}/like")).await;
    let home = |sub| app.get_as(sub, "/api/activities/home");
    let flags = |body: &Value| body.as_array().unwrap().iter().map(|row| row["liked"].clone()).collect::<Vec<_>>();
    assert_eq!(flags(&home(WORF).await.body), [json!(true), json!(false)]);
    assert_eq!(flags(&home(ANDREW).await.body), [json!(false), json!(false)]);
    assert_eq!(flags(&home("nobody").await.body), [json!(false), json!(false)]);
    let anonymous = app.get("/api/activities/home").await;
    assert!(anonymous.body.as_array().unwrap().iter().all(|row| row.get("liked").is_none()));
}
