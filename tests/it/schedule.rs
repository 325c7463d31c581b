//! The partitions of the home feed by the schedule, and pages that span several of them.

use std::collections::{BTreeMap, BTreeSet};

use cruddur::store::{Bucket, Schedule};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::support::{TestApp, at, hours, numbered};

/// Two entries: smaller buckets with four shards, then larger ones with two.
const GROWN: &str = "2026-10-25T00:00:00Z,7,4; 2026-11-20T12:00:00Z,30,2";

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

/// The first days and the shards of buckets.
fn places(buckets: &[Bucket]) -> Vec<(String, u64)> {
    let day = |bucket: &Bucket| Timestamp::from_second(bucket.start * 86_400).unwrap().strftime("%F").to_string();
    buckets.iter().map(|bucket| (day(bucket), bucket.shards)).collect()
}

fn thirty_days_before(schedule: &Schedule, now: &str) -> Vec<(String, u64)> {
    places(&schedule.buckets(at(now), at(now) - hours(30 * 24)))
}

#[test]
fn thirty_days_span_two_buckets_by_default() {
    let two = |a: &str, b: &str| vec![(a.to_owned(), 1), (b.to_owned(), 1)];
    let schedule = Schedule::default();
    assert_eq!(thirty_days_before(&schedule, "2026-11-22T12:00:00.250Z"), two("2026-11-03", "2026-10-04"));
    assert_eq!(thirty_days_before(&schedule, "2026-11-03T00:00:00.000Z"), two("2026-11-03", "2026-10-04"));
    assert_eq!(thirty_days_before(&schedule, "2026-11-02T23:59:59.999Z"), two("2026-10-04", "2026-09-04"));
    assert_eq!(schedule.buckets(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")), []);
}

#[test]
fn buckets_follow_the_entries_of_their_time() {
    let found = schedule(GROWN).buckets(at("2026-11-22T12:00:00Z"), at("2026-10-23T12:00:00Z"));
    let expected = [("2026-11-03", 2), ("2026-11-19", 4), ("2026-11-12", 4), ("2026-11-05", 4), ("2026-10-29", 4)];
    let expected = expected.iter().chain(&[("2026-10-22", 4), ("2026-10-04", 1)]);
    assert_eq!(places(&found), expected.map(|(day, shards)| ((*day).to_owned(), *shards)).collect::<Vec<_>>());
    assert_eq!(found[1].until, at("2026-11-20T12:00:00Z"));
    assert_eq!(found[6].until, at("2026-10-25T00:00:00Z"));
}

#[test]
fn bucket_of_two_entries_is_read_once() {
    let found = schedule("2026-11-10T00:00:00Z,30,4").buckets(at("2026-11-22T12:00:00Z"), at("2026-11-04T00:00:00Z"));
    assert_eq!(places(&found), [("2026-11-03".to_owned(), 4)]);
}

#[test]
fn entry_of_the_future_changes_no_key() {
    let id = numbered(at("2026-11-22T12:00:00Z"), 7);
    let grown = schedule("2026-11-22T12:00:00.001Z,1,64");
    assert_eq!(grown.activity(id), Schedule::default().activity(id));
    let later = numbered(at("2026-11-22T12:00:00.001Z"), 7);
    assert_ne!(grown.activity(later), Schedule::default().activity(later));
}

#[test]
fn posts_spread_over_all_shards() {
    let (schedule, now) = (schedule("2026-01-01T00:00:00Z,30,4"), at("2026-11-22T12:00:00Z"));
    let mut shards = BTreeMap::new();
    for number in 0..1000 {
        *shards.entry(schedule.activity(numbered(now, number)).pk).or_insert(0) += 1;
    }
    assert_eq!(shards.len(), 4);
    assert!(shards.values().all(|count| (200..300).contains(count)), "{shards:?}");
}

#[test]
fn invalid_entry_is_reported() {
    assert_eq!(schedule(" ; "), Schedule::default());
    for entry in [
        "x",
        "2027-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z,30",
        "2027-01-01T00:00:00Z,0,4",
        "2027-01-01T00:00:00Z,31,4",
        "2027-01-01T00:00:00Z,30,0",
        "2027-01-01T00:00:00Z,30,65",
        "2027-01-01T00:00:00Z,30,4,1",
        "2027-01-01,30,4",
        "1970-01-01T00:00:00Z,30,4",
        "2026-01-01T00:00:00Z,30,4",
    ] {
        let error = format!("2026-01-01T00:00:00Z,30,4;{entry}").parse::<Schedule>().unwrap_err();
        assert_eq!(error.entry, entry);
    }
}

proptest! {
    /// The buckets of a period contain the partition of each post of the period, once.
    #[test]
    fn post_is_in_a_bucket_of_its_period(
        entries in prop::collection::btree_map(0..90_i64, (1..=30_i64, 1..=64_u64), 0..4),
        span in 0..40_i64, created in 0..90_i64, number: u64, ms in -1..=1_i64,
    ) {
        let day = |days: i64| at("2026-09-01T00:00:00Z") + hours(24 * days);
        let text: Vec<_> = entries.iter().map(|(from, (days, shards))| format!("{},{days},{shards}", day(*from))).collect();
        let schedule = schedule(&text.join(";"));
        let id = numbered(day(created) + SignedDuration::from_millis(ms), number);
        let newest = id.created_at() + hours(span);
        let buckets = schedule.buckets(newest, newest - hours(30 * 24));
        let partitions = buckets.iter().flat_map(|bucket| (0..bucket.shards).map(|shard| (bucket.start, shard)));
        let names: Vec<_> = partitions.map(|(start, shard)| cruddur::store::keys::home(start, shard)).collect();
        prop_assert_eq!(names.iter().filter(|name| **name == schedule.activity(id).pk).count(), 1);
        prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}

#[tokio::test]
async fn pages_span_entries_of_the_schedule() {
    for text in [
        GROWN,
        "2026-11-10T00:00:00Z,30,4",
        "2026-11-01T00:00:00Z,30,2;2026-11-12T00:00:00Z,3,2;2026-11-16T00:00:00Z,30,3",
    ] {
        let mut app = TestApp::new().await;
        app.state.store = app.state.store.clone().with_schedule(schedule(text));
        for number in 0..120 {
            let ago = hours(1) + SignedDuration::from_mins(350 * i64::try_from(number).unwrap());
            app.posted(ago, number, &number.to_string(), "30-days").await;
        }
        for limit in [1, 7, 100] {
            let pages = app.pages(None, "/api/activities/home", &format!("?limit={limit}")).await;
            let numbers: Vec<u64> =
                pages.iter().flat_map(|page| page.messages()).map(|number| number.parse().unwrap()).collect();
            assert_eq!(numbers, (0..120).collect::<Vec<_>>(), "{text}, {limit}");
        }
    }
}

#[tokio::test]
async fn unevenly_filled_shards_are_topped_up() {
    let mut app = TestApp::new().await;
    let schedule = schedule("2026-01-01T00:00:00Z,30,4");
    app.state.store = app.state.store.clone().with_schedule(schedule.clone());
    let at = app.now() - hours(1);
    let one = schedule.activity(numbered(at, 0)).pk;
    // All posts of the page are in one shard, and older ones in the others.
    let (mut same, mut other) = (0, 0);
    for number in 0.. {
        let is_same = schedule.activity(numbered(at, number)).pk == one;
        if is_same && same < 30 {
            app.posted(hours(1), number, "same", "1-day").await;
            same += 1;
        } else if !is_same && other < 30 {
            app.posted(hours(2), number, "other", "1-day").await;
            other += 1;
        }
        if same + other == 60 {
            break;
        }
    }
    assert_eq!(app.get("/api/activities/home?limit=25").await.messages(), ["same"; 25]);
    let all = app.get("/api/activities/home?limit=60").await;
    assert_eq!((all.messages()[..30].to_vec(), all.messages()[30..].to_vec()), (vec!["same"; 30], vec!["other"; 30]));
}
