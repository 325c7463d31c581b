//! The stream pump, from the database to the consumer's side effects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::domain::{Post, PostDraft, SearchTerm};
use cruddur::store::{self, Store};
use cruddur_local::seed;
use cruddur_local::stream::{MAX_RECORD_AGE, StreamPump};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::support::Fixture;

const TABLE: &str = "cruddur";
/// Longer than any batch takes.
const LIMIT: Duration = Duration::from_secs(20);

async fn store(fixture: &Fixture) -> Store {
    store::create_table(&fixture.dynamodb(), TABLE).await.unwrap();
    let store = Store::new(fixture.dynamodb(), TABLE);
    seed::seed(&store, &Clock::system(), &fixture.folder.path().join("seed")).await.unwrap();
    store
}

fn pump(fixture: &Fixture, store: &Store, checkpoint: &Path) -> StreamPump {
    StreamPump::start(&fixture.database, store.clone(), Clock::system(), checkpoint.to_owned(), None)
}

async fn wait_until_idle(pump: &StreamPump) {
    timeout(LIMIT, pump.wait_until_idle()).await.unwrap();
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
    pump.stop(LIMIT).await;
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
    first.stop(LIMIT).await;
    let position = std::fs::read_to_string(&checkpoint).unwrap();
    post(&store, "between").await;
    assert_eq!(found(&store, "between").await, [""; 0]);

    let second = pump(&fixture, &store, &checkpoint);
    wait_until_idle(&second).await;
    assert_eq!(found(&store, "between").await, ["between"]);
    assert_ne!(std::fs::read_to_string(&checkpoint).unwrap(), position);
    second.stop(LIMIT).await;
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
    pump.stop(LIMIT).await;
    fixture.stop().await;
}

#[tokio::test]
async fn stopped_pump_and_database_release_the_file() {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    let pump = pump(&fixture, &store, &fixture.folder.path().join("stream"));
    wait_until_idle(&pump).await;
    pump.stop(LIMIT).await;
    let folder = fixture.stop().await;
    let again = Fixture::start_in(folder).await;
    assert_eq!(notification_count(&Store::new(again.dynamodb(), TABLE)).await, 0);
    again.stop().await;
}

/// A pump whose pauses before retries end when the test says so.
struct PausedPump {
    pump: StreamPump,
    pauses: mpsc::UnboundedReceiver<Duration>,
    retry: Arc<Semaphore>,
}

impl PausedPump {
    fn start(fixture: &Fixture, clock: Clock) -> Self {
        let (started, pauses) = mpsc::unbounded_channel();
        let retry = Arc::new(Semaphore::new(0));
        let pause = {
            let retry = Arc::clone(&retry);
            move |pause| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
                started.send(pause).unwrap();
                let retry = Arc::clone(&retry);
                Box::pin(async move { retry.acquire().await.unwrap().forget() })
            }
        };
        let store = Store::new(without_retries(fixture), TABLE);
        let checkpoint = checkpoint(fixture);
        let pump = StreamPump::start_with(&fixture.database, store, clock, checkpoint, None, Box::new(pause));
        Self { pump, pauses, retry }
    }

    /// Waits for the next failure. Returns the pause after it in milliseconds.
    async fn next_pause(&mut self) -> u128 {
        timeout(LIMIT, self.pauses.recv()).await.unwrap().unwrap().as_millis()
    }

    fn retry(&self) {
        self.retry.add_permits(1);
    }
}

fn checkpoint(fixture: &Fixture) -> PathBuf {
    fixture.folder.path().join("stream")
}

/// A client that reports the first failure of an operation, so that tests do not wait for the SDK's retries.
fn without_retries(fixture: &Fixture) -> aws_sdk_dynamodb::Client {
    let retries = aws_sdk_dynamodb::config::retry::RetryConfig::disabled();
    let client = fixture.dynamodb();
    aws_sdk_dynamodb::Client::from_conf(client.config().to_builder().retry_config(retries).build())
}

/// The database's file, in which writes of items fail as on a full disk.
struct FullDisk(Connection);

impl FullDisk {
    /// Lets inserts fail whose item contains `text`.
    fn start(fixture: &Fixture, text: &str) -> Self {
        let file = Connection::open(fixture.database.path()).unwrap();
        let trigger = format!(
            "CREATE TRIGGER disk_full BEFORE INSERT ON \"{TABLE}\" WHEN instr(NEW.item_json, '{text}')
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        );
        file.execute_batch(&trigger).unwrap();
        Self(file)
    }

    fn end(self) {
        self.0.execute_batch("DROP TRIGGER disk_full").unwrap();
    }
}

/// A database with two new posts. The side effects of the first fail.
async fn with_failing_post() -> (Fixture, Store, FullDisk) {
    let fixture = Fixture::start().await;
    let store = store(&fixture).await;
    // The demo data has no pending side effects.
    let pump = pump(&fixture, &store, &checkpoint(&fixture));
    wait_until_idle(&pump).await;
    pump.stop(LIMIT).await;
    post(&store, "broken").await;
    post(&store, "intact").await;
    let disk = FullDisk::start(&fixture, "broken");
    (fixture, store, disk)
}

#[tokio::test]
async fn failed_record_is_retried_with_growing_pauses_in_order() {
    let (fixture, store, disk) = with_failing_post().await;
    let mut paused = PausedPump::start(&fixture, Clock::system());
    for pause in [200, 400, 800, 1_600, 3_200] {
        assert_eq!(paused.next_pause().await, pause);
        assert_eq!(found(&store, "intact").await, [""; 0], "later records wait");
        paused.retry();
    }
    paused.next_pause().await;
    disk.end();
    paused.retry();
    wait_until_idle(&paused.pump).await;
    assert_eq!(found(&store, "broken").await, ["broken"]);
    assert_eq!(found(&store, "intact").await, ["intact"]);
    assert!(paused.pump.stop(LIMIT).await);
    fixture.stop().await;
}

#[tokio::test]
async fn failed_record_survives_a_restart() {
    let (fixture, store, disk) = with_failing_post().await;
    let mut first = PausedPump::start(&fixture, Clock::system());
    first.next_pause().await;
    assert!(first.pump.stop(LIMIT).await, "a pause ends with the pump");
    disk.end();
    let second = pump(&fixture, &store, &checkpoint(&fixture));
    wait_until_idle(&second).await;
    assert_eq!(found(&store, "broken").await, ["broken"]);
    assert_eq!(found(&store, "intact").await, ["intact"]);
    second.stop(LIMIT).await;
    fixture.stop().await;
}

#[tokio::test]
async fn records_before_the_failed_one_are_processed_once() {
    let (fixture, store, disk) = with_failing_post().await;
    disk.end();
    let disk = FullDisk::start(&fixture, "intact");
    let mut first = PausedPump::start(&fixture, Clock::system());
    first.next_pause().await;
    assert_eq!(found(&store, "broken").await, ["broken"]);
    first.pump.stop(LIMIT).await;
    // The next run starts at the failed record, and would fail at the first one.
    disk.end();
    let _disk = FullDisk::start(&fixture, "broken");
    let second = PausedPump::start(&fixture, Clock::system());
    wait_until_idle(&second.pump).await;
    assert_eq!(found(&store, "intact").await, ["intact"]);
    second.pump.stop(LIMIT).await;
    fixture.stop().await;
}

#[tokio::test]
async fn record_that_fails_for_22_hours_is_given_up() {
    let (fixture, store, _disk) = with_failing_post().await;
    let later = move || Clock::system().now() + MAX_RECORD_AGE + SignedDuration::from_mins(1);
    let mut paused = PausedPump::start(&fixture, Clock::new(later, |_| Clock::system().new_id()));
    wait_until_idle(&paused.pump).await;
    assert!(paused.pauses.try_recv().is_err(), "it is not retried");
    assert_eq!(found(&store, "broken").await, [""; 0]);
    assert_eq!(found(&store, "intact").await, ["intact"]);
    paused.pump.stop(LIMIT).await;
    fixture.stop().await;
}

#[tokio::test]
async fn invalid_record_does_not_block_the_stream() {
    let (fixture, store, disk) = with_failing_post().await;
    disk.end();
    let file = Connection::open(fixture.database.path()).unwrap();
    let changed = file.execute(
        "UPDATE _stream_records SET new_image = replace(new_image, '\"message\"', '\"massage\"')
         WHERE instr(new_image, 'broken')",
        [],
    );
    assert!(changed.unwrap() > 0);
    let mut paused = PausedPump::start(&fixture, Clock::system());
    wait_until_idle(&paused.pump).await;
    assert!(paused.pauses.try_recv().is_err(), "it is not retried");
    assert_eq!(found(&store, "intact").await, ["intact"]);
    paused.pump.stop(LIMIT).await;
    fixture.stop().await;
}

#[tokio::test]
async fn checkpoint_that_cannot_be_written_does_not_block_the_stream() {
    let (fixture, store, disk) = with_failing_post().await;
    disk.end();
    // A directory with this name prevents the temporary file.
    std::fs::create_dir(checkpoint(&fixture).with_extension("unfinished")).unwrap();
    let before = std::fs::read_to_string(checkpoint(&fixture)).unwrap();
    let pump = pump(&fixture, &store, &checkpoint(&fixture));
    wait_until_idle(&pump).await;
    assert_eq!(found(&store, "intact").await, ["intact"]);
    assert_eq!(std::fs::read_to_string(checkpoint(&fixture)).unwrap(), before);
    std::fs::remove_dir(checkpoint(&fixture).with_extension("unfinished")).unwrap();
    wait_until_idle(&pump).await;
    assert_ne!(std::fs::read_to_string(checkpoint(&fixture)).unwrap(), before);
    pump.stop(LIMIT).await;
    fixture.stop().await;
}

#[tokio::test]
async fn dropped_pump_stops() {
    let (fixture, store, disk) = with_failing_post().await;
    disk.end();
    let mut paused = PausedPump::start(&fixture, Clock::system());
    wait_until_idle(&paused.pump).await;
    drop(paused.pump);
    // The pump drops its end of the channel when it ends.
    assert_eq!(timeout(LIMIT, paused.pauses.recv()).await.unwrap(), None);
    assert_eq!(found(&store, "broken").await, ["broken"]);
    fixture.stop().await;
}
