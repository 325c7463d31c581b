//! The demo data, read through the store.

use std::collections::HashMap;
use std::future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::Request;
use axum::middleware::{self, Next};
use cruddur::clock::Clock;
use cruddur::domain::Id;
use cruddur::store::{self, Store};
use cruddur_local::http_server::HttpServer;
use cruddur_local::issuer::Issuer;
use cruddur_local::seed::{USERS, seed};
use cruddur_local::{aws, endpoint, listen};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::support::Fixture;

/// In the database's future, so that it does not delete posts that are expired in the test.
const NOW: &str = "2100-01-08T12:00:00Z";
/// The demo data: 6 users, 3 posts, a reply and 5 likes.
const WRITES: usize = 15;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn clock(now: Timestamp) -> Clock {
    Clock::new(move || now, |at| Id::new(at, [0; 10]))
}

async fn empty_store(fixture: &Fixture) -> Store {
    let client = store::client(&aws::sdk_config(fixture.server.address()));
    store::create_table(&client, "cruddur").await.unwrap();
    Store::new(client, "cruddur")
}

fn unfinished(fixture: &Fixture) -> PathBuf {
    fixture.folder.path().join("seed")
}

/// Seeds a new table through an endpoint that holds the response to the write with this number, and stops there as if the
/// process were killed. Returns the store, and whether the seed was stopped.
async fn seed_until_write(fixture: &Fixture, issuer: &Issuer, table: &str, number: usize) -> (Store, bool) {
    store::create_table(&fixture.dynamodb(), table).await.unwrap();
    let (writes, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let hold = {
        let (writes, held) = (Arc::clone(&writes), Arc::clone(&held));
        move |request: Request, next: Next| {
            let (writes, held) = (Arc::clone(&writes), Arc::clone(&held));
            async move {
                let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
                let is_write = target
                    .is_some_and(|target| target.ends_with(".PutItem") || target.ends_with(".TransactWriteItems"));
                let response = next.run(request).await;
                if is_write && writes.fetch_add(1, Ordering::Relaxed) + 1 == number {
                    held.notify_one();
                    future::pending::<()>().await;
                }
                response
            }
        }
    };
    let router = endpoint::router(fixture.database.address(), fixture.secret.clone(), issuer.clone());
    let listener = listen::on_loopback(0, "--dynamodb-port").await.unwrap();
    let server = HttpServer::start(listener, router.layer(middleware::from_fn(hold))).unwrap();
    let held_store = Store::new(store::client(&aws::sdk_config(server.address())), table);
    let (clock, file) = (clock(now()), unfinished(fixture));
    let is_stopped = tokio::select! {
        biased;
        () = held.notified() => true,
        seeded = seed(&held_store, &clock, &file) => {
            seeded.unwrap();
            false
        }
    };
    (Store::new(store::client(&aws::sdk_config(fixture.server.address())), table), is_stopped)
}

async fn items(fixture: &Fixture, table: &str) -> Vec<HashMap<String, AttributeValue>> {
    let mut items = fixture.dynamodb().scan().table_name(table).send().await.unwrap().items.unwrap();
    items.sort_by_key(|item| format!("{:?} {:?}", item["pk"], item["sk"]));
    items
}

async fn times(store: &Store, now: Timestamp) -> Vec<(String, String, String)> {
    let feed = store.home(now, 100, None).await.unwrap();
    let post = |post: &cruddur::domain::Post| {
        (post.author.handle.as_str().to_owned(), post.id.created_at().to_string(), post.expires_at.to_string())
    };
    feed.rows.iter().map(post).collect()
}

fn post(handle: &str, created_at: &str, expires_at: &str) -> (String, String, String) {
    (handle.to_owned(), created_at.to_owned(), expires_at.to_owned())
}

#[tokio::test]
async fn demo_posts_have_relative_creation_and_expiry() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    seed(&store, &clock(now()), &unfinished(&fixture)).await.unwrap();
    let expected = [
        post("garek", "2100-01-08T11:00:00Z", "2100-01-09T00:00:00Z"),
        post("andrewbrown", "2100-01-06T12:00:00Z", "2100-01-13T12:00:00Z"),
        post("worf", "2100-01-01T12:00:00Z", "2100-01-17T12:00:00Z"),
    ];
    assert_eq!(times(&store, now()).await, expected);
}

#[tokio::test]
async fn seeding_twice_adds_nothing() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    seed(&store, &clock(now()), &unfinished(&fixture)).await.unwrap();
    let later = now() + SignedDuration::from_mins(1);
    let shown = seed(&store, &clock(later), &unfinished(&fixture)).await.unwrap();
    let feed = store.home(later, 100, None).await.unwrap();
    assert_eq!(feed.rows.len(), 3);
    assert_eq!(feed.rows[0].id, shown);
}

#[tokio::test]
async fn expired_demo_posts_are_replaced() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    seed(&store, &clock(now()), &unfinished(&fixture)).await.unwrap();
    let later = now() + SignedDuration::from_hours(60 * 24);
    assert_eq!(times(&store, later).await, []);
    seed(&store, &clock(later), &unfinished(&fixture)).await.unwrap();
    assert_eq!(times(&store, later).await.len(), 3);
}

#[tokio::test]
async fn reply_and_likes_are_counted() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    let id = seed(&store, &clock(now()), &unfinished(&fixture)).await.unwrap();
    let replies = store.replies(id, now(), 100, None).await.unwrap().rows;
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].author.handle.as_str(), "worf");
    assert_eq!(replies[0].message.as_str(), "This post has no honor!");
    let counters = store.post(id, now()).await.unwrap().unwrap().post.counters;
    assert_eq!((counters.replies, counters.likes), (1, 5));
}

#[tokio::test]
async fn demo_users_have_profiles() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    seed(&store, &clock(now()), &unfinished(&fixture)).await.unwrap();
    for user in USERS {
        let profile = store.profile(&user.sub()).await.unwrap().unwrap();
        assert_eq!(profile.author.handle.as_str(), user.handle);
        assert_eq!(profile.author.display_name, user.display_name);
    }
}

#[tokio::test]
async fn seed_stopped_after_any_write_is_completed() {
    let fixture = Fixture::start().await;
    let issuer = Issuer::ephemeral().unwrap();
    let (_, is_stopped) = seed_until_write(&fixture, &issuer, "complete", WRITES + 1).await;
    assert!(!is_stopped);
    let complete = items(&fixture, "complete").await;
    for number in 1..=WRITES {
        let table = format!("stopped-{number}");
        let (store, is_stopped) = seed_until_write(&fixture, &issuer, &table, number).await;
        assert!(is_stopped, "write {number}");
        seed(&store, &clock(now()), &unfinished(&fixture)).await.unwrap();
        assert_eq!(items(&fixture, &table).await, complete, "write {number}");
        assert!(!unfinished(&fixture).exists(), "write {number}");
    }
}

#[tokio::test]
async fn completed_seed_has_the_times_of_its_first_start() {
    let fixture = Fixture::start().await;
    // The seventh write is that of the first post.
    let (store, _) = seed_until_write(&fixture, &Issuer::ephemeral().unwrap(), "cruddur", 7).await;
    let later = now() + SignedDuration::from_hours(1);
    seed(&store, &clock(later), &unfinished(&fixture)).await.unwrap();
    let expected = [
        post("garek", "2100-01-08T11:00:00Z", "2100-01-09T00:00:00Z"),
        post("andrewbrown", "2100-01-06T12:00:00Z", "2100-01-13T12:00:00Z"),
        post("worf", "2100-01-01T12:00:00Z", "2100-01-17T12:00:00Z"),
    ];
    assert_eq!(times(&store, later).await, expected);
}

#[tokio::test]
async fn completed_seed_omits_posts_that_have_expired() {
    let fixture = Fixture::start().await;
    let (store, _) = seed_until_write(&fixture, &Issuer::ephemeral().unwrap(), "cruddur", 7).await;
    let later = now() + SignedDuration::from_hours(6 * 24);
    seed(&store, &clock(later), &unfinished(&fixture)).await.unwrap();
    assert_eq!(times(&store, later).await, [post("worf", "2100-01-01T12:00:00Z", "2100-01-17T12:00:00Z")]);
    assert_eq!(items(&fixture, "cruddur").await.len(), 13);
}
