//! The stream pump, from the database to the consumer's side effects.

use std::path::Path;
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::domain::{Post, PostDraft, SearchTerm};
use cruddur::store::{self, Store};
use cruddur_local::seed;
use cruddur_local::stream::StreamPump;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::support::Fixture;

const TABLE: &str = "cruddur";

async fn store(fixture: &Fixture) -> Store {
    store::create_table(&fixture.dynamodb(), TABLE).await.unwrap();
    let store = Store::new(fixture.dynamodb(), TABLE);
    seed::seed(&store, &Clock::system()).await.unwrap();
    store
}

fn pump(fixture: &Fixture, store: &Store, checkpoint: &Path) -> StreamPump {
    StreamPump::start(&fixture.database, store.clone(), Clock::system(), checkpoint.to_owned(), None)
}

async fn wait_until_idle(pump: &StreamPump) {
    timeout(Duration::from_secs(20), pump.wait_until_idle()).await.unwrap();
}

async fn post(store: &Store, message: &str) {
    let clock = Clock::system();
    let andrew = store.profile("demo-andrewbrown").await.unwrap().unwrap();
    let draft = PostDraft::parse(message, "1-day").unwrap();
    let activity = Post::new(clock.new_id(), andrew.author.clone(), draft);
    store.create_post(&andrew, &activity, None).await.unwrap();
}

async fn found(store: &Store, term: &str) -> Vec<String> {
    let found = store.search(&SearchTerm::parse(term).unwrap(), now(), 10, None).await.unwrap();
    found.rows.iter().map(|activity| activity.message.as_str().to_owned()).collect()
}

async fn notification_count(store: &Store) -> usize {
    store.notifications("demo-worf", now(), 10, None).await.unwrap().rows.len()
}

fn now() -> Timestamp {
    Clock::system().now()
}

#[tokio::test]
async fn post_is_indexed_and_mentioned_user_notified() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let pump = pump(&fixture, &store, &fixture.folder.path().join("stream"));
    post(&store, "Prune juice for @worf").await;
    wait_until_idle(&pump).await;
    assert_eq!(found(&store, "prune jui").await, ["Prune juice for @worf", "I am out of prune juice"]);
    assert_eq!(notification_count(&store).await, 1);
    pump.stop().await;
    fixture.stop().await;
}

#[tokio::test]
async fn restarted_pump_continues_at_its_checkpoint() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let checkpoint = fixture.folder.path().join("stream");
    let first = pump(&fixture, &store, &checkpoint);
    post(&store, "before").await;
    wait_until_idle(&first).await;
    first.stop().await;
    let position = std::fs::read_to_string(&checkpoint).unwrap();
    post(&store, "between").await;
    assert_eq!(found(&store, "between").await, [""; 0]);

    let second = pump(&fixture, &store, &checkpoint);
    wait_until_idle(&second).await;
    assert_eq!(found(&store, "between").await, ["between"]);
    assert_ne!(std::fs::read_to_string(&checkpoint).unwrap(), position);
    second.stop().await;
    fixture.stop().await;
}

#[tokio::test]
async fn damaged_checkpoint_restarts_the_stream() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let checkpoint = fixture.folder.path().join("stream");
    std::fs::write(&checkpoint, "nonsense").unwrap();
    post(&store, "again").await;
    let pump = pump(&fixture, &store, &checkpoint);
    wait_until_idle(&pump).await;
    assert_eq!(found(&store, "again").await, ["again"]);
    pump.stop().await;
    fixture.stop().await;
}

#[tokio::test]
async fn stopped_pump_and_database_release_the_file() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let pump = pump(&fixture, &store, &fixture.folder.path().join("stream"));
    wait_until_idle(&pump).await;
    pump.stop().await;
    let folder = fixture.stop().await;
    let again = Fixture::start_in(folder).await;
    assert_eq!(notification_count(&Store::new(again.dynamodb(), TABLE)).await, 0);
    again.stop().await;
}
