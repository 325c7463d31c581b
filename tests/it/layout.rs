//! The table's layout: its version and its time of creation.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use cruddur::store::{Store, StoreError};

use crate::support::{TABLE, TestApp, andrew, change_layout, hours};

/// A store that has not read the layout yet.
fn another(app: &TestApp) -> Store {
    Store::new(app.client.clone(), TABLE)
}

#[tokio::test]
async fn layout_is_created_once() {
    let app = TestApp::empty().await;
    let item = |of: &TestApp| of.client.get_item().table_name(TABLE).set_key(Some(key())).send();
    let first = item(&app).await.unwrap().item.unwrap();
    assert_eq!(first["version"].as_n().unwrap(), "2");
    assert_eq!(first["created_at_ms"].as_n().unwrap(), "1792756800250");
    let later = another(&app);
    later.ensure_layout(app.now()).await.unwrap();
    assert!(later.knows_layout());
    assert_eq!(item(&app).await.unwrap().item.unwrap(), first);
}

fn key() -> HashMap<String, AttributeValue> {
    let text = || AttributeValue::S("LAYOUT".to_owned());
    HashMap::from([("pk".to_owned(), text()), ("sk".to_owned(), text())])
}

#[tokio::test]
async fn consumer_does_not_create_the_layout() {
    let app = TestApp::empty().await;
    app.client.delete_item().table_name(TABLE).set_key(Some(key())).send().await.unwrap();
    let store = another(&app).checked().await.unwrap();
    assert!(!store.knows_layout());
}

#[tokio::test]
async fn buckets_before_the_table_are_not_read() {
    let mut app = TestApp::new().await;
    app.posted(hours(25 * 24), 1, "older than the table", "30-days").await;
    assert_eq!(app.get("/api/activities/home").await.messages(), ["older than the table"]);
    app.client.delete_item().table_name(TABLE).set_key(Some(key())).send().await.unwrap();
    app.state.store = another(&app);
    app.state.store.ensure_layout(app.now()).await.unwrap();
    assert_eq!(app.get("/api/activities/home").await.messages(), Vec::<&str>::new());
}

#[tokio::test]
async fn other_layout_is_rejected_at_the_start() {
    let app = TestApp::new().await;
    change_layout(&app).await;
    let errors = [
        another(&app).warm_up().await.unwrap_err(),
        another(&app).checked().await.unwrap_err(),
        another(&app).ensure_layout(app.now()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::OtherLayout { found: 999, expected: 2 }), "{error}");
        assert!(!error.is_permanent());
    }
}

#[tokio::test]
async fn unreachable_table_does_not_prevent_the_start() {
    let app = TestApp::unreachable();
    app.state.store.ensure_layout(app.now()).await.unwrap();
    assert!(!app.state.store.clone().checked().await.unwrap().knows_layout());
}

#[tokio::test]
async fn first_request_reads_a_missing_layout() {
    let mut app = TestApp::new().await;
    app.state.store = another(&app);
    assert_eq!(app.get("/api/users/@worf/short").await.status, 200);
    assert!(app.state.store.knows_layout());
}

#[tokio::test]
async fn other_layout_is_an_error_of_every_request() {
    let mut app = TestApp::new().await;
    app.posted(hours(0), 1, "Hello @worf", "1-day").await;
    let records = app.next_records();
    change_layout(&app).await;
    app.state.store = another(&app);
    for uri in ["/api/users/@worf/short", "/api/activities/home"] {
        app.get(uri).await.assert_error(500, "other_layout");
    }
    let failed = app.consume(&records).await.batch_item_failures;
    let first = records[0]["dynamodb"]["SequenceNumber"].as_str().unwrap();
    assert_eq!(failed.iter().map(|failure| failure.item_identifier.as_str()).collect::<Vec<_>>(), [first]);
    assert!(app.state.store.profile(&andrew().sub).await.unwrap().is_some());
}
