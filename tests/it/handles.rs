//! Handles are unique without regard to case, and shown as their users chose them.

use std::time::Duration;

use cruddur::domain::Handle;
use cruddur::signup;
use cruddur::store::keys;
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, WORF, hours, user};

const BAYKO: &str = "demo-bayko";

/// With the user `AndrewBayko`.
async fn app() -> TestApp {
    let app = TestApp::new().await;
    app.state.store.create_profile(&user(3, BAYKO, "AndrewBayko", "Andrew Bayko")).await.unwrap();
    app
}

#[test]
fn handles_in_other_case_are_equal() {
    let [chosen, other] = ["AndrewBayko", "andrewBAYKO"].map(|text| Handle::parse(text).unwrap());
    assert_eq!(chosen, other);
    assert_eq!((chosen.as_str(), other.as_str()), ("AndrewBayko", "andrewBAYKO"));
    assert_eq!(
        (keys::handle(&chosen), keys::handle(&chosen).pk.as_str()),
        (keys::handle(&other), "HANDLE#andrewbayko")
    );
}

#[tokio::test]
async fn paths_accept_every_case_and_show_the_chosen_one() {
    let app = app().await;
    let body = json!({ "message": "Hello", "ttl": "1-day" });
    let post = app.post_as(BAYKO, "/api/activities", &body).await;
    assert_eq!(post.body["handle"], "AndrewBayko");
    let id = post.body["uuid"].as_str().unwrap();
    for handle in ["AndrewBayko", "andrewbayko", "ANDREWBAYKO"] {
        let short = app.get(&format!("/api/users/@{handle}/short")).await;
        assert_eq!((short.status, &short.body["handle"]), (200, &json!("AndrewBayko")), "{handle}");
        let feed = app.get(&format!("/api/activities/@{handle}")).await;
        assert_eq!(feed.body["profile"]["handle"], "AndrewBayko", "{handle}");
        assert_eq!(feed.body["activities"][0]["handle"], "AndrewBayko", "{handle}");
        let shown = app.get(&format!("/api/activities/@{handle}/status/{id}")).await;
        assert_eq!((shown.status, &shown.body["activity"]["handle"]), (200, &json!("AndrewBayko")), "{handle}");
    }
    assert_eq!(app.get("/api/activities/home").await.body[0]["handle"], "AndrewBayko");
}

#[tokio::test]
async fn messages_to_every_case_are_one_conversation() {
    let app = app().await;
    let send = async |field: &str, handle: &str| {
        app.post_as(WORF, "/api/messages", &json!({ "message": handle, field: handle })).await
    };
    let first = send("handle", "andrewbayko").await.body["message_group_uuid"].clone();
    assert_eq!(send("handle", "ANDREWBAYKO").await.body["message_group_uuid"], first);
    assert_eq!(send("user_receiver_handle", "AndrewBayko").await.body["message_group_uuid"], first);
    for handle in ["andrewbayko", "AndrewBayko", "ANDREWBAYKO"] {
        let list = app.get_as(WORF, &format!("/api/messages/@{handle}")).await;
        assert_eq!(list.messages(), ["andrewbayko", "ANDREWBAYKO", "AndrewBayko"], "{handle}");
    }
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.body[0]["handle"], "AndrewBayko");
    let to_self = app.post_as(BAYKO, "/api/messages", &json!({ "message": "x", "handle": "andrewbayko" })).await;
    assert_eq!((to_self.status, to_self.body), (422, json!(["user_receiver_is_sender"])));
}

#[tokio::test]
async fn cursor_is_accepted_for_the_handle_in_other_case() {
    let app = TestApp::new().await;
    for (number, message) in [(1, "a"), (2, "b")] {
        app.posted(hours(2), number, message, "1-day").await;
    }
    let next = app.get("/api/activities/@AndrewBrown?limit=1").await.next().unwrap();
    let page = app.get(&format!("/api/activities/@ANDREWBROWN{next}")).await;
    assert_eq!((page.status, &page.body["activities"][0]["message"]), (200, &json!("a")));
}

#[tokio::test]
async fn notifications_show_the_chosen_case() {
    let mut app = app().await;
    app.post_as(BAYKO, "/api/activities", &json!({ "message": "Hi @WORF", "ttl": "1-day" })).await;
    app.settle().await;
    let list = app.get_as(WORF, "/api/activities/notifications").await;
    assert_eq!((list.messages(), &list.body[0]["handle"]), (vec!["Hi @WORF"], &json!("AndrewBayko")));
}

async fn sign_up(app: &TestApp, sub: &str, preferred: &str) -> String {
    let event = json!({
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "request": { "userAttributes": { "sub": sub, "preferred_username": preferred } },
    });
    signup::confirm(&app.state.store, &app.state.clock, event, Duration::from_secs(60)).await.unwrap();
    app.state.store.profile(sub).await.unwrap().unwrap().author.handle.as_str().to_owned()
}

#[tokio::test]
async fn handle_in_other_case_is_taken_at_signup() {
    let app = TestApp::new().await;
    assert_eq!(sign_up(&app, "sub-1", "Worf").await, "Worf_0885");
    assert_eq!(sign_up(&app, "sub-2", "Jean-Luc.Picard").await, "Jean_Luc_Picard");
    assert_eq!(sign_up(&app, "sub-3", "jean_luc_picard").await.len(), "jean_luc_picard_0000".len());
    let short = app.get("/api/users/@jean_luc_PICARD/short").await;
    let shown: [&Value; 2] = [&short.body["handle"], &short.body["display_name"]];
    assert_eq!(shown, ["Jean_Luc_Picard", "Jean_Luc_Picard"]);
}

#[tokio::test]
async fn other_post_address_is_404_in_every_case() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "post", "1-day").await.id;
    for handle in ["worf", "WORF"] {
        app.get(&format!("/api/activities/@{handle}/status/{id}")).await.assert_error(404, "not_found");
    }
    assert_eq!(app.get_as(ANDREW, &format!("/api/activities/@AndrewBrown/status/{id}")).await.status, 200);
}
