use axum::body::Body;
use cruddur::domain::Id;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, hours, request, user};

const WORF: &str = "demo-worf";

async fn counts(app: &TestApp, id: Id) -> (Value, Value) {
    let shown = app.get(&format!("/api/activities/{id}")).await;
    (shown.body["activity"]["likes_count"].clone(), shown.body["activity"]["reposts_count"].clone())
}

/// Users `user0`, `user1` and so on.
async fn with_users(app: &TestApp, count: u8) -> Vec<String> {
    let subs: Vec<_> = (0..count).map(|number| format!("user{number}")).collect();
    for (number, sub) in (100..).zip(&subs) {
        app.state.store.create_profile(&user(number, sub, sub, "Somebody")).await.unwrap();
    }
    subs
}

#[tokio::test]
async fn a_like_and_a_repost_are_counted_once_and_can_be_taken_back() {
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
async fn a_reply_can_be_liked_and_passed_on() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    let reply = app.replied(parent, hours(0), 2, "y").await.id;
    assert_eq!(app.ask_as(ANDREW, "PUT", &format!("/api/activities/{reply}/like")).await.status, 200);
    assert_eq!(app.ask_as(ANDREW, "PUT", &format!("/api/activities/{reply}/repost")).await.status, 200);
    assert_eq!(counts(&app, reply).await, (json!(1), json!(1)));
    assert_eq!(counts(&app, parent).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn a_user_who_likes_a_hundred_times_at_once_is_counted_once() {
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
async fn thirty_users_at_once_are_thirty_likes() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "x", "1-day").await.id;
    let users = with_users(&app, 30).await;
    let uri = format!("/api/activities/{id}/like");
    assert!(join_all(users.iter().map(|sub| app.ask_as(sub, "PUT", &uri))).await.iter().all(|a| a.status == 200));
    assert_eq!(counts(&app, id).await, (json!(30), json!(0)));
}

#[tokio::test]
async fn likes_and_their_ends_at_once_leave_the_count_at_the_rows_that_are_left() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "x", "1-day").await.id;
    let users = with_users(&app, 10).await;
    let uri = format!("/api/activities/{id}/like");
    // Two hundred, forty at a time: a request may take ten seconds, which all at once take on a busy machine.
    for _ in 0..5 {
        let requests = (0..4).flat_map(|round| {
            let (app, uri) = (&app, &uri);
            users.iter().map(move |sub| app.ask_as(sub, if round % 2 == 0 { "PUT" } else { "DELETE" }, uri))
        });
        let answers: Vec<_> = join_all(requests).await.iter().map(|answer| answer.status).collect();
        assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        assert_eq!(app.items().await.faults(), Vec::<String>::new());
    }
    let mut rows = 0;
    for sub in &users {
        let profile = app.state.store.profile(sub).await.unwrap().unwrap();
        rows += app.state.store.liked_posts(&profile, &[id]).await.unwrap().len();
    }
    assert_eq!(counts(&app, id).await.0, json!(rows));
}

#[tokio::test]
async fn what_is_not_there_or_has_expired_cannot_be_liked() {
    let app = TestApp::new().await;
    let id = app.posted(hours(0), 1, "x", "1-hour").await.id.to_string();
    app.pass(hours(1));
    for id in [id.as_str(), "0199c3a0-5e00-7a11-8b22-c33d44e55f66", "abc", "@worf"] {
        for method in ["PUT", "DELETE"] {
            for what in ["like", "repost"] {
                let answer = app.ask_as(WORF, method, &format!("/api/activities/{id}/{what}")).await;
                assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{id}");
            }
        }
    }
}

#[tokio::test]
async fn only_a_user_with_a_profile_can_like() {
    let app = TestApp::new().await;
    let id = app.posted(hours(0), 1, "x", "1-hour").await.id;
    let uri = format!("/api/activities/{id}/like");
    assert_eq!(app.send(request("PUT", &uri).body(Body::empty()).unwrap()).await.status, 401);
    assert_eq!(app.ask_as("nobody", "PUT", &uri).await.status, 403);
}

#[tokio::test]
async fn home_says_to_a_user_which_posts_the_user_likes_and_to_others_nothing() {
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
