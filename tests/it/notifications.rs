use cruddur::domain::mentions;
use cruddur::store::keys;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ANDREW, TRACEPARENT, TestApp, andrew, hours, numbered, user, worf};

const WORF: &str = "demo-worf";
const NOTIFICATIONS: &str = "/api/activities/notifications";

fn kinds(body: &Value) -> Vec<(&str, &str)> {
    let rows = body.as_array().unwrap().iter();
    rows.map(|row| (row["kind"].as_str().unwrap(), row["handle"].as_str().unwrap())).collect()
}

#[test]
fn a_mention_is_a_handle_behind_an_at_sign_that_stands_by_itself() {
    let found = |text: &str| mentions(text).iter().map(|handle| handle.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(found("@worf, @Londo: (@garek)! @worf"), ["worf", "londo", "garek"]);
    assert_eq!(found("mail@worf.example a@b @ @@ @é @worfé @@worf"), ["worf"]);
    assert_eq!(found(&format!("@{} @{}", "a".repeat(30), "b".repeat(31))), ["a".repeat(30)]);
    let many: String = (0..20).map(|number| format!("@user{number} ")).collect();
    assert_eq!(found(&many).len(), 10);
}

#[tokio::test]
async fn a_mention_in_a_post_is_told_with_the_post_as_it_is() {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "Hello @worf and @nobody", "1-day").await;
    app.settle().await;
    let told = app.get_as(WORF, NOTIFICATIONS).await;
    let expected = json!([{
        "uuid": "01a202e9-b47a-7000-8000-000000000001", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Hello @worf and @nobody", "replies_count": 0, "reposts_count": 0, "likes_count": 0,
        "reply_to_activity_uuid": null, "message_group_uuid": null,
        "expires_at": "2026-11-23T11:00:00.250Z", "created_at": "2026-11-22T11:00:00.250Z",
        "kind": "mention", "unread": true, "trace_id": null,
    }]);
    assert_eq!((told.status, &told.body, told.header("x-unread-count")), (200, &expected, Some("1")));
    assert_eq!(app.get_as(ANDREW, NOTIFICATIONS).await.body, json!([]));
    assert_eq!(app.get(NOTIFICATIONS).await.status, 401);
}

#[tokio::test]
async fn replies_likes_and_conversations_are_told_newest_first_with_the_trace_of_their_cause() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(3), 1, "Who likes pineapple?", "1-day").await;
    let reply = numbered(app.now() - hours(2), 2);
    app.reply(&post, ANDREW, reply, &worf(), "No honor, @andrewbrown!").await;
    app.like(&post, ANDREW, &worf(), app.now() - hours(1)).await;
    app.post_as(WORF, "/api/messages", &json!({ "message": "secret", "handle": "andrewbrown" })).await;
    app.settle().await;
    let told = app.get_as(ANDREW, NOTIFICATIONS).await;
    assert_eq!(kinds(&told.body), [("conversation", "worf"), ("like", "worf"), ("reply", "worf")]);
    let [conversation, like, reply_row] = [0, 1, 2].map(|at| &told.body[at]);
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
    assert!(!told.body.to_string().contains("secret") && !told.body.to_string().contains("demo-"));
    assert_eq!(kinds(&app.get_as(WORF, NOTIFICATIONS).await.body), []);
}

#[tokio::test]
async fn a_like_of_a_reply_is_told_to_who_replied() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(3), 1, "post", "1-day").await;
    let id = numbered(app.now() - hours(2), 2);
    app.reply(&post, ANDREW, id, &worf(), "a reply").await;
    let draft = cruddur::domain::PostDraft::parse("a reply", "1-day").unwrap();
    app.like(&cruddur::domain::Post::new(id, worf().author, draft), WORF, &andrew(), app.now()).await;
    app.settle().await;
    let told = app.get_as(WORF, NOTIFICATIONS).await;
    assert_eq!(kinds(&told.body), [("like", "andrewbrown")]);
    assert_eq!((&told.body[0]["message"], &told.body[0]["uuid"]), (&json!("a reply"), &json!(id.to_string())));
}

#[tokio::test]
async fn nobody_is_told_of_their_own_acts() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "I, @andrewbrown", "1-day").await;
    app.reply(&post, ANDREW, numbered(app.now(), 2), &andrew(), "to myself, @andrewbrown").await;
    app.like(&post, ANDREW, &andrew(), app.now()).await;
    app.settle().await;
    assert_eq!(app.get_as(ANDREW, NOTIFICATIONS).await.body, json!([]));
}

#[tokio::test]
async fn marking_as_read_makes_no_later_one_read_and_hides_none() {
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
    let told = app.get_as(WORF, NOTIFICATIONS).await;
    let unread: Vec<_> = told.body.as_array().unwrap().iter().map(|row| row["unread"].as_bool().unwrap()).collect();
    assert_eq!(told.messages(), ["third @worf", "second @worf", "first @worf"]);
    assert_eq!((unread, told.header("x-unread-count")), (vec![true, false, false], Some("1")));
    assert_eq!(app.put_as(ANDREW, NOTIFICATIONS).await.status, 200);
}

#[tokio::test]
async fn what_is_gone_is_told_no_more() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(3), 1, "for @worf", "1-day").await;
    let liked = app.posted(hours(2), 2, "liked", "1-day").await;
    app.like(&liked, ANDREW, &worf(), app.now()).await;
    app.posted(hours(1), 3, "short @worf", "3-hours").await;
    app.settle().await;
    assert_eq!(kinds(&app.get_as(ANDREW, NOTIFICATIONS).await.body), [("like", "worf")]);
    app.unlike(liked.id, &worf()).await;
    app.delete_item(keys::activity(post.id)).await;
    assert_eq!(app.get_as(WORF, NOTIFICATIONS).await.messages(), ["short @worf"]);
    app.settle().await;
    assert_eq!(app.get_as(ANDREW, NOTIFICATIONS).await.body, json!([]));
    assert!(!app.has_item(keys::notification(WORF, post.id)).await);
    app.pass(hours(2));
    let told = app.get_as(WORF, NOTIFICATIONS).await;
    assert_eq!((&told.body, told.header("x-unread-count")), (&json!([]), Some("0")));
}

#[tokio::test]
async fn pages_show_every_notification_once_and_unread_ones_are_counted_up_to_a_hundred() {
    let mut app = TestApp::new().await;
    for number in 0..103 {
        app.posted(hours(1), number, &format!("{number} @worf"), "1-day").await;
    }
    app.settle().await;
    let mut found = Vec::new();
    let mut query = Some("?limit=40".to_owned());
    while let Some(next) = query {
        let page = app.get_as(WORF, &format!("{NOTIFICATIONS}{next}")).await;
        assert_eq!(page.header("x-unread-count"), Some("100"));
        found.extend(page.messages().into_iter().map(str::to_owned));
        query = page.next();
    }
    assert_eq!(found, (0..103).rev().map(|number| format!("{number} @worf")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_cursor_of_one_users_notifications_is_not_anothers() {
    let mut app = TestApp::new().await;
    app.state.store.create_profile(&user(3, "demo-londo", "londo", "Londo Mollari")).await.unwrap();
    app.posted(hours(2), 1, "one @worf", "1-day").await;
    app.posted(hours(1), 2, "two @worf", "1-day").await;
    app.settle().await;
    let next = app.get_as(WORF, &format!("{NOTIFICATIONS}?limit=1")).await.next().unwrap();
    assert_eq!(app.get_as("demo-londo", &format!("{NOTIFICATIONS}{next}")).await.status, 400);
}

#[tokio::test]
async fn who_did_it_is_shown_by_the_present_name() {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "hi @worf", "1-day").await;
    app.settle().await;
    app.rename(&andrew(), "Andy").await;
    app.settle().await;
    assert_eq!(app.get_as(WORF, NOTIFICATIONS).await.body[0]["display_name"], "Andy");
}
