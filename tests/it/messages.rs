use std::collections::BTreeSet;

use cruddur::store::keys;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, TestApp, WORF, user};

const LONDO: &str = "demo-londo";

async fn app() -> TestApp {
    let app = TestApp::new().await;
    app.state.store.create_profile(&user(3, LONDO, "londo", "Londo Mollari")).await.unwrap();
    app
}

/// Sends a message from `andrewbrown` to `worf`.
async fn send(app: &TestApp, sub: &str, handle: &str, message: &str) -> String {
    let sent = app.post_as(sub, "/api/messages", &json!({ "message": message, "handle": handle })).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    sent.body["message_group_uuid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn first_message_opens_a_conversation_for_both() {
    let app = app().await;
    let opened = app.post_as(ANDREW, "/api/messages", &json!({ "message": "Qapla'!", "handle": "worf" })).await;
    assert_eq!(opened.status, 200);
    assert_eq!(opened.body, json!({ "message_group_uuid": "01a20320-a2fa-7000-8000-000000000000" }));
    let row = |display_name, handle| {
        json!([{
            "uuid": "01a20320-a2fa-7000-8000-000000000000", "display_name": display_name, "handle": handle,
            "message": "Qapla'!", "created_at": "2026-11-22T12:00:00.250Z",
        }])
    };
    assert_eq!(app.get_as(ANDREW, "/api/message_groups").await.body, row("Worf", "worf"));
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.body, row("Andrew Brown", "andrewbrown"));
    assert_eq!(app.get_as(LONDO, "/api/message_groups").await.body, json!([]));
}

#[tokio::test]
async fn conversation_message_has_its_id_and_sender() {
    let app = app().await;
    let group = send(&app, ANDREW, "worf", "Hello").await;
    app.pass(SignedDuration::from_secs(1));
    let body = json!({ "message": " Today is a good day ", "message_group_uuid": group });
    let answered = app.post_as(WORF, "/api/messages", &body).await;
    let expected = json!({
        "message_group_uuid": group, "uuid": "01a20320-a6e2-7000-8000-000000000002", "display_name": "Worf",
        "handle": "worf", "message": "Today is a good day", "created_at": "2026-11-22T12:00:01.250Z",
    });
    assert_eq!((answered.status, answered.body), (200, expected));
    let messages = json!([
        {
            "uuid": "01a20320-a2fa-7000-8000-000000000001", "display_name": "Andrew Brown", "handle": "andrewbrown",
            "message": "Hello", "created_at": "2026-11-22T12:00:00.250Z",
        },
        {
            "uuid": "01a20320-a6e2-7000-8000-000000000002", "display_name": "Worf", "handle": "worf",
            "message": "Today is a good day", "created_at": "2026-11-22T12:00:01.250Z",
        },
    ]);
    assert_eq!(app.get_as(ANDREW, &format!("/api/messages/{group}")).await.body, messages);
    assert_eq!(app.get_as(WORF, "/api/messages/@andrewbrown").await.body, messages);
    assert_eq!(app.get_as(ANDREW, "/api/messages/%40worf").await.body, messages);
}

#[tokio::test]
async fn first_client_field_returns_the_message() {
    let app = app().await;
    let body = json!({ "message": "Hello", "user_receiver_handle": "worf" });
    let sent = app.post_as(ANDREW, "/api/messages", &body).await;
    let expected = json!({
        "message_group_uuid": "01a20320-a2fa-7000-8000-000000000000",
        "uuid": "01a20320-a2fa-7000-8000-000000000001", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Hello", "created_at": "2026-11-22T12:00:00.250Z",
    });
    assert_eq!((sent.status, sent.body), (200, expected));
}

#[tokio::test]
async fn second_message_continues_the_conversation() {
    let app = app().await;
    let first = send(&app, ANDREW, "worf", "one").await;
    assert_eq!(send(&app, ANDREW, "worf", "two").await, first);
    assert_eq!(send(&app, WORF, "andrewbrown", "three").await, first);
    assert_eq!(app.get_as(WORF, "/api/messages/@andrewbrown").await.messages(), ["one", "two", "three"]);
}

#[tokio::test]
async fn concurrent_openings_create_one_conversation() {
    let app = app().await;
    let openings = (0..50).map(|number| {
        let (sub, handle) = if number % 2 == 0 { (ANDREW, "worf") } else { (WORF, "andrewbrown") };
        let app = &app;
        async move { send(app, sub, handle, &number.to_string()).await }
    });
    let groups: BTreeSet<String> = join_all(openings).await.into_iter().collect();
    assert_eq!(groups.len(), 1);
    assert_eq!(app.items().await.faults(), Vec::<String>::new());
    let messages = app.get_as(ANDREW, "/api/messages/@worf?limit=100").await;
    let numbers: BTreeSet<u64> = messages.messages().iter().map(|message| message.parse().unwrap()).collect();
    assert_eq!((messages.messages().len(), numbers), (50, (0..50).collect()));
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn message_pages_go_backwards_without_repeats() {
    let app = app().await;
    let group = send(&app, ANDREW, "worf", "0").await;
    for number in 1..25 {
        send(&app, ANDREW, "worf", &number.to_string()).await;
    }
    let pages = app.pages(Some(WORF), &format!("/api/messages/{group}"), "?limit=10").await;
    let numbers = |page: &Answer| page.messages().iter().map(|number| number.parse().unwrap()).collect();
    let pages: Vec<Vec<u64>> = pages.iter().map(numbers).collect();
    assert_eq!(pages, [(15..25).collect::<Vec<_>>(), (5..15).collect(), (0..5).collect()]);
}

#[tokio::test]
async fn other_users_cannot_see_a_conversation() {
    let app = app().await;
    let group = send(&app, ANDREW, "worf", "secret").await;
    let nothing = app.get_as(LONDO, "/api/messages/01a20320-a2fa-7000-8000-0000000000ff").await;
    let read = app.get_as(LONDO, &format!("/api/messages/{group}")).await;
    assert_eq!((read.status, &read.body), (404, &nothing.body));
    let body = json!({ "message": "intruder", "message_group_uuid": group });
    let write = app.post_as(LONDO, "/api/messages", &body).await;
    assert_eq!((write.status, &write.body), (404, &nothing.body));
    assert_eq!(app.get(&format!("/api/messages/{group}")).await.status, 401);
    assert_eq!(app.get("/api/message_groups").await.status, 401);
    assert_eq!(app.get_as(WORF, "/api/messages/@andrewbrown").await.messages(), ["secret"]);
}

#[tokio::test]
async fn missing_conversation_is_empty_and_missing_user_404() {
    let app = app().await;
    let none = app.get_as(ANDREW, "/api/messages/@worf").await;
    assert_eq!((none.status, none.body), (200, json!([])));
    for unknown in ["@nobody", "@andrewbrown", "@No Handle", "@", "abc"] {
        let answer = app.get_as(ANDREW, &format!("/api/messages/{}", unknown.replace(' ', "%20"))).await;
        assert_eq!(answer.status, 404, "{unknown}");
    }
}

#[tokio::test]
async fn all_message_violations_are_reported_at_once() {
    let app = app().await;
    let long = "x".repeat(1025);
    let cases: [(Value, &[&str]); 8] = [
        (json!({}), &["message_blank", "user_reciever_handle_blank"]),
        (json!({ "message": null, "handle": " " }), &["message_blank", "user_reciever_handle_blank"]),
        (json!({ "message": "  ", "message_group_uuid": "" }), &["message_blank", "message_group_uuid_blank"]),
        (json!({ "message": long, "handle": "worf" }), &["message_exceed_max_chars_1024"]),
        (json!({ "message": long, "handle": "" }), &["message_exceed_max_chars_1024", "user_reciever_handle_blank"]),
        (json!({ "message": "a\u{7}", "user_receiver_handle": "worf" }), &["message_control_chars"]),
        (json!({ "message": "Me", "handle": "andrewbrown" }), &["user_receiver_is_sender"]),
        (json!({ "message": "Hello" }), &["user_reciever_handle_blank"]),
    ];
    for (body, codes) in cases {
        let answer = app.post_as(ANDREW, "/api/messages", &body).await;
        assert_eq!((answer.status, answer.body), (422, json!(codes)), "{body}");
    }
    let longest = json!({ "message": "ü".repeat(1024), "handle": "worf" });
    assert_eq!(app.post_as(ANDREW, "/api/messages", &longest).await.status, 200);
    for (unknown, field) in [("nobody", "handle"), ("No Handle", "handle"), ("abc", "message_group_uuid")] {
        let answer = app.post_as(ANDREW, "/api/messages", &json!({ "message": "Hello", field: unknown })).await;
        answer.assert_error(404, "not_found");
    }
}

#[tokio::test]
async fn message_with_idempotency_key_is_sent_once() {
    let app = app().await;
    let send = async |key: &str, body: &Value| {
        app.send_with_key(ANDREW, "POST", "/api/messages", Some(key), body.to_string()).await
    };
    let opening = json!({ "message": "once", "handle": "worf" });
    let (first, again) = (send("a", &opening).await, send("a", &opening).await);
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(first.body, again.body);
    let more = json!({ "message": "more", "message_group_uuid": first.body["message_group_uuid"] });
    let (first, again) = (send("b", &more).await, send("b", &more).await);
    assert_eq!((again.header("idempotent-replayed"), &first.body), (Some("true"), &again.body));
    assert_eq!(send("b", &opening).await.status, 422);
    assert_eq!(app.get_as(WORF, "/api/messages/@andrewbrown").await.messages(), ["once", "more"]);
}

#[tokio::test]
async fn conversations_are_ordered_by_last_message() {
    let mut app = app().await;
    let worf = send(&app, ANDREW, "worf", "first").await;
    app.pass(SignedDuration::from_secs(1));
    let londo = send(&app, LONDO, "andrewbrown", "second").await;
    let uuids = |body: &Value| -> Vec<String> {
        body.as_array().unwrap().iter().map(|row| row["uuid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(uuids(&app.get_as(ANDREW, "/api/message_groups").await.body), [londo.clone(), worf.clone()]);
    app.pass(SignedDuration::from_secs(1));
    send(&app, WORF, "andrewbrown", "third").await;
    app.settle().await;
    let first = app.get_as(ANDREW, "/api/message_groups?limit=1").await;
    assert_eq!((uuids(&first.body), first.messages()), (vec![worf], vec!["third"]));
    assert_eq!(first.body[0]["created_at"], "2026-11-22T12:00:02.250Z");
    let second = app.get_as(ANDREW, &format!("/api/message_groups{}", first.next().unwrap())).await;
    assert_eq!((uuids(&second.body), second.next()), (vec![londo], None));
}

#[tokio::test]
async fn conversations_do_not_expire() {
    let app = app().await;
    send(&app, ANDREW, "worf", "Happy new year soon").await;
    app.pass(SignedDuration::from_hours(24 * 60));
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.messages(), ["Happy new year soon"]);
    assert_eq!(app.get_as(WORF, "/api/messages/@andrewbrown").await.messages(), ["Happy new year soon"]);
}

#[test]
fn pair_key_is_independent_of_order() {
    let (a, b) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let key = keys::pair(b, a);
    assert_eq!(keys::pair(a, b), key);
    let pk = "PAIR#00000000-0000-0000-0000-000000000001#00000000-0000-0000-0000-000000000002";
    assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, "PAIR"));
}
