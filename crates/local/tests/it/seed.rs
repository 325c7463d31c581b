//! The demo data, read through the store.

use cruddur::clock::Clock;
use cruddur::domain::Id;
use cruddur::store::{self, Store};
use cruddur_local::aws;
use cruddur_local::seed::{USERS, seed};
use jiff::{SignedDuration, Timestamp};

use crate::support::Fixture;

/// In the database's future, so that it does not delete posts that are expired in the test.
const NOW: &str = "2100-01-08T12:00:00Z";

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
    seed(&store, &clock(now())).await.unwrap();
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
    seed(&store, &clock(now())).await.unwrap();
    let later = now() + SignedDuration::from_mins(1);
    let shown = seed(&store, &clock(later)).await.unwrap();
    let feed = store.home(later, 100, None).await.unwrap();
    assert_eq!(feed.rows.len(), 3);
    assert_eq!(feed.rows[0].id, shown);
}

#[tokio::test]
async fn expired_demo_posts_are_replaced() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    seed(&store, &clock(now())).await.unwrap();
    let later = now() + SignedDuration::from_hours(60 * 24);
    assert_eq!(times(&store, later).await, []);
    seed(&store, &clock(later)).await.unwrap();
    assert_eq!(times(&store, later).await.len(), 3);
}

#[tokio::test]
async fn reply_and_likes_are_counted() {
    let fixture = Fixture::start().await;
    let store = empty_store(&fixture).await;
    let id = seed(&store, &clock(now())).await.unwrap();
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
    seed(&store, &clock(now())).await.unwrap();
    for user in USERS {
        let profile = store.profile(&user.sub()).await.unwrap().unwrap();
        assert_eq!(profile.author.handle.as_str(), user.handle);
        assert_eq!(profile.author.display_name, user.display_name);
    }
}
