//! Databases that other versions of the program wrote.

use std::path::Path;

use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::aws;
use cruddur_local::dynamodb::{DynamoDb, TABLE};
use cruddur_local::local_server::LocalServer;
use cruddur_local::options::Options;
use dynoxide::actions::get_shard_iterator::{decode_shard_iterator, encode_shard_iterator};

/// A database as versions without layouts wrote it: the table with an item, and a position in its stream.
async fn database_without_layout(folder: &Path) {
    let database = DynamoDb::start(&folder.join("dynamodb.sqlite"), Clock::system()).unwrap();
    let client = aws_sdk_dynamodb::Client::new(&aws::sdk_config(database.address()));
    cruddur::store::create_table(&client, TABLE).await.unwrap();
    let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let put = client.put_item().table_name(TABLE).item("pk", text("HOME#2968#1")).item("sk", text("x"));
    put.send().await.unwrap();
    std::fs::write(folder.join("stream"), "somewhere").unwrap();
    database.stop().await;
}

async fn start(folder: &Path) -> LocalServer {
    let defaults = ["cruddur-local", "--port", "0", "--dynamodb-port", "0", "--data-dir", folder.to_str().unwrap()];
    LocalServer::start(&Options::parse_from(defaults), Clock::system(), None, None).await.unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("dynamodb") || name.starts_with("stream.")).collect();
    names.sort_unstable();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names
}

async fn posts(server: &LocalServer) -> usize {
    let client = aws_sdk_dynamodb::Client::new(&aws::sdk_config(server.endpoint()));
    let store = cruddur::store::Store::new(client, TABLE);
    store.home(Clock::system().now(), 100, None).await.unwrap().rows.len()
}

#[tokio::test]
async fn database_of_another_layout_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    database_without_layout(folder.path()).await;
    let server = start(folder.path()).await;
    assert_eq!(posts(&server).await, 3);
    assert_eq!(names(folder.path()), ["dynamodb.1.sqlite", "dynamodb.sqlite", "stream.1"]);
    server.stop().await;
    // The old data is kept as it was.
    let kept = DynamoDb::start(&folder.path().join("dynamodb.1.sqlite"), Clock::system()).unwrap();
    let client = aws_sdk_dynamodb::Client::new(&aws::sdk_config(kept.address()));
    assert_eq!(client.scan().table_name(TABLE).send().await.unwrap().count, 1);
    kept.stop().await;
}

#[tokio::test]
async fn database_of_this_layout_stays() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await.stop().await;
    let again = start(folder.path()).await;
    assert_eq!(posts(&again).await, 3);
    assert_eq!(names(folder.path()), ["dynamodb.sqlite"]);
    again.stop().await;
}

#[tokio::test]
async fn second_database_gets_the_next_number() {
    let folder = tempfile::tempdir().unwrap();
    database_without_layout(folder.path()).await;
    std::fs::write(folder.path().join("dynamodb.1.sqlite"), "").unwrap();
    let server = start(folder.path()).await;
    assert_eq!(names(folder.path()), ["dynamodb.1.sqlite", "dynamodb.2.sqlite", "dynamodb.sqlite", "stream.2"]);
    server.stop().await;
}

#[tokio::test]
async fn table_of_an_interrupted_first_start_is_not_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let database = DynamoDb::start(&folder.path().join("dynamodb.sqlite"), Clock::system()).unwrap();
    let client = aws_sdk_dynamodb::Client::new(&aws::sdk_config(database.address()));
    cruddur::store::create_table(&client, TABLE).await.unwrap();
    database.stop().await;
    let server = start(folder.path()).await;
    assert_eq!(posts(&server).await, 3);
    assert_eq!(names(folder.path()), ["dynamodb.sqlite"]);
    server.stop().await;
}

#[tokio::test]
async fn new_database_starts_at_the_beginning_of_its_stream() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    first.wait_until_idle().await;
    first.stop().await;
    let checkpoint = folder.path().join("stream");
    let (table, shard, number) = decode_shard_iterator(&std::fs::read_to_string(&checkpoint).unwrap()).unwrap();
    // As if the clock had been one hour ahead.
    let ahead = number + 3_600_000_000;
    std::fs::write(&checkpoint, encode_shard_iterator(&table, &shard, ahead)).unwrap();
    std::fs::rename(folder.path().join("dynamodb.sqlite"), folder.path().join("moved")).unwrap();

    let again = start(folder.path()).await;
    again.wait_until_idle().await;
    let (_, _, processed) = decode_shard_iterator(&std::fs::read_to_string(&checkpoint).unwrap()).unwrap();
    assert!(processed < ahead, "{processed}");
    again.stop().await;
}
