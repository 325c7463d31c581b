use cruddur::domain::{Message, Post};
use cruddur::store::keys;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, TRACEPARENT, TestApp, WORF, andrew, hours, numbered, user, worf};

const NOTIFICATIONS: &str = "/api/activities/notifications";

fn kinds(body: &Value) -> Vec<(&str, &str)> {
    let rows = body.as_array().unwrap().iter();
    rows.map(|row| (row["kind"].as_str().unwrap(), row["handle"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn mention_creates_a_notification() {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "Hello @worf and @nobody", "1-day").await;
    app.settle().await;
    let list = app.get_as(WORF, NOTIFICATIONS).await;
    let expected = json!([{
        "uuid": "01a202e9-b47a-7000-8000-000000000001", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Hello @worf and @nobody", "replies_count": 0, "reposts_count": 0, "likes_count": 0,
        "reply_to_activity_uuid": null, "message_group_uuid": null,
        "expires_at": "2026-11-23T11:00:00.250Z", "created_at": "2026-11-22T11:00:00.250Z",
        "kind": "mention", "unread": true, "trace_id": null,
    }]);
    assert_eq!((list.status, &list.body, list.header("x-unread-count")), (200, &expected, Some("1")));
    assert_eq!(app.get_as(ANDREW, NOTIFICATIONS).await.body, json!([]));
    assert_eq!(app.get(NOTIFICATIONS).await.status, 401);
}

#[tokio::test]
async fn notifications_are_newest_first_with_their_trace() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(3), 1, "Who likes pineapple?", "1-day").await;
    let reply = numbered(app.now() - hours(2), 2);
    app.reply(&post, ANDREW, reply, &worf(), "No honor, @andrewbrown!").await;
    app.like(&post, ANDREW, &worf(), app.now() - hours(1)).await;
    app.post_as(WORF, "/api/messages", &json!({ "message": "secret", "handle": "andrewbrown" })).await;
    app.settle().await;
    let list = app.get_as(ANDREW, NOTIFICATIONS).await;
    assert_eq!(kinds(&list.body), [("conversation", "worf"), ("like", "worf"), ("reply", "worf")]);
    let [conversation, like, reply_row] = [0, 1, 2].map(|at| &list.body[at]);
    assert_eq!((&conversation["message"], &conversation["display_name"]), (&json!(""), &json!("Worf")));
    assert_eq!(conversation["message_group_uuid"], conversation["uuid"]);
    assert_eq!(conversation["expires_at"], "2026-12-22T12:00:00.250Z");
    assert_eq!((&like["message"], &like["uuid"]), (&json!("Who likes pineapple?"), &json!(post.id.to_string())));
    assert_eq!(like["created_at"], "2026-11-22T11:00:00.250Z");
    assert_eq!(reply_row["message"], "No honor, @andrewbrown!");
    assert_eq!(reply_row["uuid"], reply.to_string());
    assert_eq!(reply_row["reply_to_activity_uuid"], post.id.to_string());
    for row in [like, reply_row] {
        assert_eq!(row["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(TRACEPARENT.contains(row["trace_id"].as_str().unwrap()));
    }
    assert!(!list.body.to_string().contains("secret") && !list.body.to_string().contains("demo-"));
    assert_eq!(kinds(&app.get_as(WORF, NOTIFICATIONS).await.body), []);
}

#[tokio::test]
async fn liked_reply_notifies_its_author() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(3), 1, "post", "1-day").await;
    let id = numbered(app.now() - hours(2), 2);
    app.reply(&post, ANDREW, id, &worf(), "a reply").await;
    let reply = Post::reply(id, &post, worf().author, Message::reply("a reply").unwrap());
    app.like(&reply, WORF, &andrew(), app.now()).await;
    app.settle().await;
    let list = app.get_as(WORF, NOTIFICATIONS).await;
    assert_eq!(kinds(&list.body), [("like", "andrewbrown")]);
    assert_eq!((&list.body[0]["message"], &list.body[0]["uuid"]), (&json!("a reply"), &json!(id.to_string())));
}

#[tokio::test]
async fn own_actions_create_no_notifications() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "I, @andrewbrown", "1-day").await;
    app.reply(&post, ANDREW, numbered(app.now(), 2), &andrew(), "to myself, @andrewbrown").await;
    app.like(&post, ANDREW, &andrew(), app.now()).await;
    app.settle().await;
    assert_eq!(app.get_as(ANDREW, NOTIFICATIONS).await.body, json!([]));
}

#[tokio::test]
async fn mark_as_read_affects_only_older_notifications() {
    let mut app = TestApp::new().await;
    app.posted(hours(2), 1, "first @worf", "1-day").await;
    app.posted(hours(1), 2, "second @worf", "1-day").await;
    app.settle().await;
    assert_eq!(app.get_as(WORF, NOTIFICATIONS).await.header("x-unread-count"), Some("2"));
    let read = app.put_as(WORF, NOTIFICATIONS).await;
    assert_eq!((read.status, &read.body), (200, &json!({ "unread_count": 0 })));
    assert_eq!(read.header("x-unread-count"), Some("0"));
    app.pass(SignedDuration::from_secs(1));
    app.posted(hours(0), 3, "third @worf", "1-day").await;
    app.settle().await;
    let list = app.get_as(WORF, NOTIFICATIONS).await;
    let unread: Vec<_> = list.body.as_array().unwrap().iter().map(|row| row["unread"].as_bool().unwrap()).collect();
    assert_eq!(list.messages(), ["third @worf", "second @worf", "first @worf"]);
    assert_eq!((unread, list.header("x-unread-count")), (vec![true, false, false], Some("1")));
    assert_eq!(app.put_as(ANDREW, NOTIFICATIONS).await.status, 200);
}

#[tokio::test]
async fn deleted_sources_hide_their_notifications() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(3), 1, "for @worf", "1-day").await;
    let liked = app.posted(hours(2), 2, "liked", "1-day").await;
    app.like(&liked, ANDREW, &worf(), app.now()).await;
    app.posted(hours(1), 3, "short @worf", "3-hours").await;
    app.settle().await;
    assert_eq!(kinds(&app.get_as(ANDREW, NOTIFICATIONS).await.body), [("like", "worf")]);
    app.unlike(liked.id, &worf()).await;
    app.delete_item(app.key(post.id)).await;
    assert_eq!(app.get_as(WORF, NOTIFICATIONS).await.messages(), ["short @worf"]);
    app.settle().await;
    assert_eq!(app.get_as(ANDREW, NOTIFICATIONS).await.body, json!([]));
    assert!(!app.has_item(keys::notification(WORF, post.id)).await);
    app.pass(hours(2));
    let list = app.get_as(WORF, NOTIFICATIONS).await;
    assert_eq!((&list.body, list.header("x-unread-count")), (&json!([]), Some("0")));
}

#[tokio::test]
async fn notification_pages_count_up_to_100_unread() {
    let mut app = TestApp::new().await;
    for number in 0..103 {
        app.posted(hours(1), number, &format!("{number} @worf"), "1-day").await;
    }
    app.settle().await;
    let pages = app.pages(Some(WORF), NOTIFICATIONS, "?limit=40").await;
    assert!(pages.iter().all(|page| page.header("x-unread-count") == Some("100")));
    let found: Vec<_> = pages.iter().flat_map(Answer::messages).collect();
    assert_eq!(found, (0..103).rev().map(|number| format!("{number} @worf")).collect::<Vec<_>>());
}

#[tokio::test]
async fn notification_cursor_is_bound_to_its_user() {
    let mut app = TestApp::new().await;
    app.state.store.create_profile(&user(3, "demo-londo", "londo", "Londo Mollari")).await.unwrap();
    app.posted(hours(2), 1, "one @worf", "1-day").await;
    app.posted(hours(1), 2, "two @worf", "1-day").await;
    app.settle().await;
    let next = app.get_as(WORF, &format!("{NOTIFICATIONS}?limit=1")).await.next().unwrap();
    assert_eq!(app.get_as("demo-londo", &format!("{NOTIFICATIONS}{next}")).await.status, 400);
}

#[tokio::test]
async fn notifications_have_the_current_display_name() {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "hi @worf", "1-day").await;
    app.settle().await;
    app.rename(&andrew(), "Andy").await;
    app.settle().await;
    assert_eq!(app.get_as(WORF, NOTIFICATIONS).await.body[0]["display_name"], "Andy");
}
