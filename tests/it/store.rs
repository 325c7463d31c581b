use cruddur::domain::{Message, Post};
use cruddur::store::{self, StoreError, keys};
use jiff::SignedDuration;

use crate::support::{ANDREW, TABLE, TestApp, andrew, hours, numbered, user, worf};

#[tokio::test]
async fn creating_an_existing_table_changes_nothing() {
    let app = TestApp::new().await;
    app.posted(hours(0), 1, "still here", "1-day").await;
    store::create_table(&app.client, TABLE).await.unwrap();
    assert_eq!(app.get("/api/activities/home").await.messages(), ["still here"]);
}

#[tokio::test]
async fn profile_round_trips() {
    let app = TestApp::new().await;
    assert_eq!(app.state.store.profile("demo-worf").await.unwrap(), Some(worf()));
    assert_eq!(app.state.store.profile("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn user_and_handle_are_unique() {
    let app = TestApp::new().await;
    let store = &app.state.store;
    let again = store.create_profile(&user(9, ANDREW, "andrew2", "Andrew")).await.unwrap_err();
    assert!(again.is_conflict_on(keys::PROFILE), "{again}");
    let same_handle = store.create_profile(&user(9, "demo-other", "worf", "Not Worf")).await.unwrap_err();
    assert!(same_handle.is_conflict_on(keys::HANDLE), "{same_handle}");
    assert_eq!(store.profile("demo-other").await.unwrap(), None);
    store.create_profile(&user(9, "demo-other", "andrew2", "Free")).await.unwrap();
}

#[tokio::test]
async fn repeated_post_is_accepted_and_id_collision_rejected() {
    let app = TestApp::new().await;
    let activity = app.posted(hours(0), 1, "once", "1-day").await;
    app.state.store.create_post(&andrew(), &activity, None).await.unwrap();
    let error = app.state.store.create_post(&worf(), &activity, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { on } if on == keys::ACTIVITY), "{error}");
    assert_eq!(app.get("/api/activities/home").await.messages(), ["once"]);
}

#[tokio::test]
async fn reply_requires_a_live_post() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await;
    let stored = app.state.store.post(parent.id, app.now()).await.unwrap().unwrap();
    let reply = |number, after| {
        let id = numbered(parent.id.created_at() + after, number);
        Post::reply(id, &stored.post, worf().author, Message::reply("reply").unwrap())
    };
    let store = &app.state.store;
    let in_time = reply(2, SignedDuration::from_millis(3_599_999));
    store.create_reply(&worf(), &stored, &in_time, None).await.unwrap();
    let error = store.create_reply(&worf(), &stored, &reply(3, hours(1)), None).await.unwrap_err();
    assert!(error.is_conflict_on(keys::ACTIVITY), "{error}");
    let shown = store.post(parent.id, app.now()).await.unwrap().unwrap().post;
    assert_eq!(shown.counters.replies, 1);
}

#[tokio::test]
async fn ttl_attribute_is_the_first_second_after_expiry() {
    let app = TestApp::new().await;
    let activity = app.posted(hours(0), 1, "x", "1-hour").await;
    let key = app.key(activity.id);
    let item = app
        .client
        .get_item()
        .table_name(TABLE)
        .key("pk", aws_sdk_dynamodb::types::AttributeValue::S(key.pk))
        .key("sk", aws_sdk_dynamodb::types::AttributeValue::S(key.sk))
        .send()
        .await
        .unwrap()
        .item
        .unwrap();
    assert_eq!(item["expires_at"].as_n().unwrap(), "1795352401");
    assert_eq!(item["expires_at_ms"].as_n().unwrap(), "1795352400250");
}

#[tokio::test]
async fn warm_up_needs_no_item() {
    TestApp::new().await.state.store.warm_up().await.unwrap();
}
