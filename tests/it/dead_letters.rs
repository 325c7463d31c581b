//! Which stream records go to the dead-letter queue, and which are retried.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::http_client_fn;
use cruddur::dead_letters::DeadLetters;
use cruddur::store::{self, Store};
use cruddur::stream::{BatchItemFailure, BatchResponse, Consumer, StreamEvent};
use serde_json::{Value, json};

use crate::support::{Queue, TABLE, TRACEPARENT, TestApp, WORF, hours, sdk};

/// Three posts that mention Worf; the item of the second is corrupt.
async fn records(app: &mut TestApp) -> Vec<Value> {
    app.next_records();
    for (number, message) in [(1_i64, "first, @worf"), (2, "secret, @worf"), (3, "third, @worf")] {
        app.posted(hours(4 - number), number.unsigned_abs(), message, "1-day").await;
    }
    let mut records = app.next_records();
    records[1]["dynamodb"]["NewImage"]["likes_count"] = json!({ "S": "many" });
    records[1]["dynamodb"]["NewImage"]["trace_context"] = json!({ "S": TRACEPARENT });
    records
}

async fn consume(store: &Store, dead_letters: DeadLetters, records: &[Value]) -> BatchResponse {
    let consumer = Consumer { store: store.clone(), dead_letters };
    consumer.consume(&StreamEvent { records: records.to_vec() }, Duration::from_secs(60)).await
}

fn first_of(records: &[Value]) -> BatchResponse {
    let item_identifier = records[0]["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
    BatchResponse { batch_item_failures: vec![BatchItemFailure { item_identifier }] }
}

#[tokio::test]
async fn unprocessable_record_goes_to_the_dead_letter_queue() {
    let mut app = TestApp::new().await;
    let records = records(&mut app).await;
    let queue = Queue::start(200).await;
    assert_eq!(consume(&app.state.store, queue.letters(), &records).await, BatchResponse::default());
    let list = app.get_as(WORF, "/api/activities/notifications").await;
    assert_eq!(list.messages(), ["third, @worf", "first, @worf"]);

    let letters = queue.received();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter["sequence_number"], records[1]["dynamodb"]["SequenceNumber"]);
    assert_eq!((&letter["event_name"], &letter["event_id"]), (&json!("INSERT"), &records[1]["eventID"]));
    assert_eq!(letter["keys"], records[1]["dynamodb"]["Keys"]);
    assert_eq!(letter["error"], "unreadable");
    assert!(letter["causes"].as_str().unwrap().contains("likes_count"), "{letter}");
    assert_eq!(letter["writer_trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(!letter.to_string().contains("secret"), "{letter}");
}

#[tokio::test]
async fn unsent_dead_letter_is_retried() {
    let mut app = TestApp::new().await;
    let records = records(&mut app).await;
    let queue = Queue::start(403).await;
    assert_eq!(consume(&app.state.store, queue.letters(), &records).await, first_of(&records[1..]));
    assert_eq!(consume(&app.state.store, DeadLetters::none(), &records).await, first_of(&records[1..]));
    assert_eq!(app.get_as(WORF, "/api/activities/notifications").await.messages(), ["first, @worf"]);
}

#[tokio::test]
async fn unreachable_table_sends_no_dead_letters() {
    let mut app = TestApp::new().await;
    let records = records(&mut app).await;
    let queue = Queue::start(200).await;
    // DynamoDB is unreachable, or the table does not exist.
    let gone = Store::new(store::client(&sdk("http://127.0.0.1:9")), TABLE);
    assert_eq!(consume(&gone, queue.letters(), &records).await, first_of(&records));
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    assert_eq!(consume(&app.state.store, queue.letters(), &records).await, first_of(&records));
    assert_eq!(queue.received(), Vec::<Value>::new());
}

#[tokio::test]
async fn panicking_record_goes_to_the_dead_letter_queue() {
    let mut app = TestApp::new().await;
    let records = records(&mut app).await;
    let queue = Queue::start(200).await;
    let sdk = sdk("http://dynamodb.invalid").to_builder().http_client(http_client_fn(|_, _| panic!("on purpose")));
    let store = Store::new(store::client(&sdk.build()), TABLE);
    assert_eq!(consume(&store, queue.letters(), &records[..1]).await, BatchResponse::default());
    assert_eq!(queue.received()[0]["error"], "panic");
}

#[tokio::test]
async fn corrupt_item_fails_only_its_record() {
    let mut app = TestApp::new().await;
    let records = records(&mut app).await;
    let update = app.client.update_item().table_name(TABLE);
    let key = cruddur::store::keys::profile("demo-andrewbrown");
    let text = aws_sdk_dynamodb::types::AttributeValue::S;
    let update = update.key("pk", text(key.pk)).key("sk", text(key.sk)).update_expression("REMOVE display_name");
    update.send().await.unwrap();
    let queue = Queue::start(200).await;
    assert_eq!(consume(&app.state.store, queue.letters(), &records[..1]).await, BatchResponse::default());
    assert_eq!(queue.received()[0]["error"], "store");
}
