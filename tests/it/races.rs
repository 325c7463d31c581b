//! Counters are right after concurrent requests.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{ANDREW, TestApp, hours, user};

const USERS: u128 = 12;

fn sub(number: u128) -> String {
    format!("sub-{number}")
}

async fn crowd() -> TestApp {
    let app = TestApp::new().await;
    for number in 0..USERS {
        let profile = user(100 + number, &sub(number), &format!("user{number}"), "User");
        app.state.store.create_profile(&profile).await.unwrap();
    }
    app
}

#[tokio::test]
async fn concurrent_likes_and_unlikes_are_counted() {
    let app = crowd().await;
    let post = app.posted(hours(1), 1, "popular", "1-day").await.id;
    let like = format!("/api/activities/{post}/like");
    // Each user likes twice concurrently; every other user unlikes twice concurrently.
    let liked = join_all((0..2 * USERS).map(|n| app.ask_likes("PUT", sub(n / 2), &like))).await;
    assert!(liked.iter().all(|status| [200, 503].contains(status)), "{liked:?}");
    join_all((0..USERS).map(|n| app.ask_likes("DELETE", sub(n / 4 * 2), &like))).await;
    // Concurrently and in no order.
    join_all((0..USERS).map(|n| app.ask_likes(if n % 2 == 0 { "PUT" } else { "DELETE" }, sub(n / 2), &like))).await;
    assert_eq!(app.items().await.faults(), Vec::<String>::new());
    // Rejected requests are retried, as 503 asks.
    for n in 0..USERS {
        assert_eq!(app.ask_as(&sub(n), "PUT", &like).await.status, 200);
    }
    assert_eq!(app.get("/api/activities/home").await.body[0]["likes_count"], json!(USERS));
}

impl TestApp {
    async fn ask_likes(&self, method: &str, sub: String, uri: &str) -> u16 {
        self.ask_as(&sub, method, uri).await.status
    }
}

#[tokio::test]
async fn concurrent_replies_and_deletions_keep_counters_right() {
    let app = crowd().await;
    let post = app.posted(hours(1), 1, "discussed", "1-day").await.id;
    let uri = format!("/api/activities/{post}");
    let reply = |n: u128| {
        let (app, sub, uri) = (&app, sub(n), format!("{uri}/reply"));
        async move { app.post_as(&sub, &uri, &json!({ "message": "I say" })).await }
    };
    let replies: Vec<_> = join_all((0..6).map(reply)).await.into_iter().filter(|answer| answer.status == 200).collect();
    assert!(!replies.is_empty());
    let delete = |n: usize| {
        let uuid = replies[n % replies.len()].body["uuid"].as_str().unwrap().to_owned();
        let (app, sub) = (&app, sub(u128::try_from(n % replies.len()).unwrap()));
        async move { app.ask_as(&sub, "DELETE", &format!("/api/activities/{uuid}")).await.status }
    };
    // Each reply is deleted twice while new ones are created.
    let like = format!("{uri}/like");
    tokio::join!(
        join_all((0..2 * replies.len()).map(delete)),
        join_all((0..4).map(reply)),
        join_all((0..4).map(|n| app.ask_likes("PUT", sub(n), &like)))
    );
    assert_eq!(app.items().await.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn post_deleted_during_reactions_leaves_only_likes() {
    let mut app = crowd().await;
    let before = app.items().await.kinds();
    let post = app.posted(hours(1), 1, "short-lived", "1-day").await.id;
    let uri = format!("/api/activities/{post}");
    let (like, reply) = (format!("{uri}/like"), format!("{uri}/reply"));
    let answer = json!({ "message": "I say" });
    let replies = join_all((0..4).map(|n| {
        let (app, reply, answer) = (&app, &reply, &answer);
        async move { app.post_as(&sub(n), reply, answer).await.status }
    }));
    let likes = join_all((4..8).map(|n| app.ask_likes("PUT", sub(n), &like)));
    let (replied, liked, deleted) = tokio::join!(replies, likes, app.ask_as(ANDREW, "DELETE", &uri));
    assert!([200, 503].contains(&deleted.status));
    assert!(replied.iter().chain(&liked).all(|status| [200, 404, 503].contains(status)), "{replied:?} {liked:?}");
    let again = app.ask_as(ANDREW, "DELETE", &uri).await.status;
    assert_eq!(again, if deleted.status == 200 { 404 } else { 200 });
    app.settle().await;
    let mut after = app.items().await.kinds();
    // They remain until they expire.
    after.remove("LIKES ");
    assert_eq!(after, before);
}
