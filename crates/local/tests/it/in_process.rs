//! The SDK client that calls the embedded database in process behaves like one over HTTP.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest};
use cruddur::store;
use cruddur_local::aws;

use crate::support::Fixture;

const TABLE: &str = "cruddur";

async fn client(fixture: &Fixture) -> Client {
    let client = aws::database_client(&fixture.database);
    store::create_table(&client, TABLE).await.unwrap();
    client
}

fn key(sk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk", "a"), ("sk", sk)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))))
}

fn put_new(sk: &str) -> TransactWriteItem {
    let put = Put::builder().table_name(TABLE).set_item(Some(key(sk))).condition_expression("attribute_not_exists(pk)");
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

#[tokio::test]
async fn written_item_is_read_at_once_by_both_clients() {
    let fixture = Fixture::start().await;
    let client = client(&fixture).await;
    for sk in ["1", "2"] {
        client.put_item().table_name(TABLE).set_item(Some(key(sk))).send().await.unwrap();
        for client in [&client, &fixture.dynamodb()] {
            let read = client.get_item().table_name(TABLE).set_key(Some(key(sk))).send().await.unwrap();
            assert_eq!(read.item, Some(key(sk)));
        }
    }
    let query = client.query().table_name(TABLE).key_condition_expression("pk = :pk");
    let found = query.expression_attribute_values(":pk", AttributeValue::S("a".to_owned())).send().await.unwrap();
    assert_eq!(found.items(), [key("1"), key("2")]);
}

#[tokio::test]
async fn batch_is_written() {
    let fixture = Fixture::start().await;
    let client = client(&fixture).await;
    let put = |sk| WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(key(sk))).build().unwrap());
    let batch = ["1", "2"].map(|sk| put(sk).build()).into();
    let written = client.batch_write_item().request_items(TABLE, batch).send().await.unwrap();
    assert!(written.unprocessed_items.is_none_or(|items| items.is_empty()));
    let read = client.get_item().table_name(TABLE).set_key(Some(key("2"))).send().await.unwrap();
    assert_eq!(read.item, Some(key("2")));
}

#[tokio::test]
async fn failed_condition_is_dynamodbs_error() {
    let fixture = Fixture::start().await;
    let client = client(&fixture).await;
    let put = || {
        let put = client.put_item().table_name(TABLE).set_item(Some(key("1")));
        put.condition_expression("attribute_not_exists(pk)").send()
    };
    put().await.unwrap();
    let error = put().await.unwrap_err().into_service_error();
    assert!(error.is_conditional_check_failed_exception(), "{error:?}");
}

#[tokio::test]
async fn canceled_transaction_names_its_reasons_and_writes_nothing() {
    let fixture = Fixture::start().await;
    let client = client(&fixture).await;
    client.transact_write_items().transact_items(put_new("1")).send().await.unwrap();
    let both = client.transact_write_items().transact_items(put_new("2")).transact_items(put_new("1"));
    let error = both.send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        canceled,
    ) = error
    else {
        panic!("{error:?}");
    };
    let codes: Vec<_> = canceled.cancellation_reasons().iter().map(|reason| reason.code()).collect();
    assert_eq!(codes, [Some("None"), Some("ConditionalCheckFailed")]);
    let read = client.get_item().table_name(TABLE).set_key(Some(key("2"))).send().await.unwrap();
    assert_eq!(read.item, None);
}

#[tokio::test]
async fn invalid_request_gets_the_error_of_the_http_server() {
    let fixture = Fixture::start().await;
    let in_process = client(&fixture).await;
    let mut errors = Vec::new();
    for client in [&in_process, &fixture.dynamodb()] {
        let missing = client.get_item().table_name("nothing").set_key(Some(key("1"))).send().await.unwrap_err();
        assert!(missing.into_service_error().is_resource_not_found_exception());
        let query = client.query().table_name(TABLE).key_condition_expression("pk = :missing");
        let error = query.send().await.unwrap_err().into_service_error();
        errors.push((error.meta().code().map(str::to_owned), error.meta().message().map(str::to_owned)));
    }
    assert_eq!(errors[0].0.as_deref(), Some("ValidationException"));
    assert_eq!(errors[0], errors[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_and_readers_lose_nothing() {
    let fixture = Fixture::start().await;
    let client = client(&fixture).await;
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move {
                let key = key(&number.to_string());
                client.put_item().table_name(TABLE).set_item(Some(key.clone())).send().await.unwrap();
                client.get_item().table_name(TABLE).set_key(Some(key.clone())).send().await.unwrap().item == Some(key)
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
}
