//! What follows from changes, on this machine.

use std::path::Path;
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::domain::{Activity, Draft, SearchTerm};
use cruddur::store::{self, Store};
use cruddur_local::seed;
use cruddur_local::stream::Pump;
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

fn pump(fixture: &Fixture, store: &Store, checkpoint: &Path) -> Pump {
    Pump::start(fixture.database.database(), store.clone(), checkpoint.to_owned(), None)
}

async fn settled(pump: &Pump) {
    timeout(Duration::from_secs(20), pump.settled()).await.unwrap();
}

async fn post(store: &Store, message: &str) {
    let clock = Clock::system();
    let andrew = store.profile("demo-andrewbrown").await.unwrap().unwrap();
    let draft = Draft::parse(message, "1-day").unwrap();
    let activity = Activity::post(clock.new_id(), andrew.author.clone(), draft);
    store.create_activity(&andrew, &activity, None).await.unwrap();
}

async fn found(store: &Store, term: &str) -> Vec<String> {
    let found = store.search(&SearchTerm::parse(term).unwrap(), now(), 10, None).await.unwrap();
    found.activities.iter().map(|activity| activity.message().as_str().to_owned()).collect()
}

async fn told(store: &Store) -> usize {
    store.notifications("demo-worf", now(), 10, None).await.unwrap().rows.len()
}

fn now() -> Timestamp {
    Clock::system().now()
}

#[tokio::test]
async fn a_post_is_found_and_who_is_mentioned_is_told() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let pump = pump(&fixture, &store, &fixture.folder.path().join("stream"));
    post(&store, "Prune juice for @worf").await;
    settled(&pump).await;
    assert_eq!(found(&store, "prune jui").await, ["Prune juice for @worf", "I am out of prune juice"]);
    assert_eq!(told(&store).await, 1);
    pump.stop().await;
    fixture.stop().await;
}

#[tokio::test]
async fn what_happens_between_two_runs_is_made_up_for_and_what_was_done_is_not_done_again() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let checkpoint = fixture.folder.path().join("stream");
    let first = pump(&fixture, &store, &checkpoint);
    post(&store, "before").await;
    settled(&first).await;
    first.stop().await;
    let place = std::fs::read_to_string(&checkpoint).unwrap();
    post(&store, "between").await;
    assert_eq!(found(&store, "between").await, [""; 0]);

    let second = pump(&fixture, &store, &checkpoint);
    settled(&second).await;
    assert_eq!(found(&store, "between").await, ["between"]);
    assert_ne!(std::fs::read_to_string(&checkpoint).unwrap(), place);
    second.stop().await;
    fixture.stop().await;
}

#[tokio::test]
async fn a_lost_or_damaged_place_begins_at_the_beginning() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let checkpoint = fixture.folder.path().join("stream");
    std::fs::write(&checkpoint, "nonsense").unwrap();
    post(&store, "again").await;
    let pump = pump(&fixture, &store, &checkpoint);
    settled(&pump).await;
    assert_eq!(found(&store, "again").await, ["again"]);
    pump.stop().await;
    fixture.stop().await;
}

#[tokio::test]
async fn the_file_is_free_when_pump_and_database_have_ended() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let pump = pump(&fixture, &store, &fixture.folder.path().join("stream"));
    settled(&pump).await;
    pump.stop().await;
    let folder = fixture.stop().await;
    let again = Fixture::start_in(folder).await;
    assert_eq!(told(&Store::new(again.dynamodb(), TABLE)).await, 0);
    again.stop().await;
}
