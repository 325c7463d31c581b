//! How the home feed and the word index are divided into partitions, and from which time on.

use std::str::FromStr;

use jiff::Timestamp;

use super::keys::{self, Key};
use crate::domain::Id;

/// The longest bucket in days: the longest lifetime of a post, so that live posts are in at most two buckets.
const MAX_DAYS: i64 = 30;
/// The maximum number of shards. A page reads all shards of a bucket.
const MAX_SHARDS: u64 = 64;
const DAY_MS: i64 = 86_400_000;
/// Applies from the epoch.
const BASE: Entry = Entry { from: Timestamp::UNIX_EPOCH, days: MAX_DAYS, shards: 1 };

/// The partitions of the home feed and of the word index.
///
/// A partition holds the posts of one shard that were created in one bucket, a number of days. The key of a post follows
/// from its id and the schedule, so an entry must never change once its time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// In the order of their times. The first is [`BASE`].
    entries: Vec<Entry>,
}

/// The size of buckets and the number of shards for posts that are created at or after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    from: Timestamp,
    days: i64,
    shards: u64,
}

/// A list of entries that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a list of `time,days,shards` separated by `;`, with times in ascending order, 1 to {MAX_DAYS} days and 1 to \
     {MAX_SHARDS} shards, such as `2027-01-01T00:00:00Z,30,4`, found `{entry}`"
)]
pub struct InvalidSchedule {
    /// The first entry that is malformed, out of range or out of order.
    pub entry: String,
}

/// A bucket that can contain posts of a requested period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The first day, in days since the epoch.
    pub start: i64,
    /// The number of shards.
    pub shards: u64,
    /// All posts of the period in this bucket are older than this time.
    pub until: Timestamp,
}

impl Default for Schedule {
    /// Buckets of 30 days with one shard.
    fn default() -> Self {
        Self { entries: vec![BASE] }
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    /// Parses the entries that follow the default one. The empty text is valid.
    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let mut entries = vec![BASE];
        let mut latest = BASE.from;
        for text in text.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            let entry = parse(text).filter(|entry| entry.from > latest);
            let entry = entry.ok_or_else(|| InvalidSchedule { entry: text.to_owned() })?;
            latest = entry.from;
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

impl Schedule {
    /// Returns the key of a post without a parent, which is derived from its id alone.
    #[must_use]
    pub fn activity(&self, id: Id) -> Key {
        let (bucket, shard) = self.place(id);
        Key { pk: keys::home(bucket, shard), sk: keys::time_sk(id) }
    }

    /// Returns the key of a post with or without a parent.
    #[must_use]
    pub fn post(&self, id: Id, parent: Option<Id>) -> Key {
        match parent {
            Some(parent) => keys::reply(parent, id),
            None => self.activity(id),
        }
    }

    /// Returns the key of a post under a word.
    #[must_use]
    pub fn word(&self, word: &str, id: Id) -> Key {
        let (bucket, shard) = self.place(id);
        Key { pk: keys::posts_with_word(word, bucket, shard), sk: keys::time_sk(id) }
    }

    /// Returns the buckets that can contain posts from `oldest` to `newest`, newest first.
    ///
    /// Two entries can give the same bucket. It appears once, at the place of its newest posts.
    #[must_use]
    pub fn buckets(&self, newest: Timestamp, oldest: Timestamp) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        // In milliseconds, exclusive.
        let mut limit = newest.as_millisecond() + 1;
        for entry in self.entries.iter().rev() {
            let begin = entry.from.max(oldest).as_millisecond();
            let mut end = limit;
            while begin < end {
                let start = entry.bucket(end - 1);
                match buckets.iter_mut().find(|bucket| bucket.start == start) {
                    Some(known) => known.shards = known.shards.max(entry.shards),
                    None => buckets.push(Bucket { start, shards: entry.shards, until: at(end) }),
                }
                end = start * DAY_MS;
            }
            limit = limit.min(entry.from.as_millisecond());
        }
        buckets
    }

    /// Returns the first day of the bucket of a post, and its shard.
    fn place(&self, id: Id) -> (i64, u64) {
        let entry = self.entries.iter().rev().find(|entry| entry.from <= id.created_at()).unwrap_or(&BASE);
        (entry.bucket(id.created_at().as_millisecond()), shard(id, entry.shards))
    }
}

impl Entry {
    /// Returns the first day of the bucket that contains that millisecond.
    fn bucket(self, ms: i64) -> i64 {
        ms.div_euclid(DAY_MS * self.days) * self.days
    }
}

fn parse(text: &str) -> Option<Entry> {
    let mut parts = text.split(',').map(str::trim);
    let (from, days, shards) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let valid = parts.next().is_none() && (1..=MAX_DAYS).contains(&days) && (1..=MAX_SHARDS).contains(&shards);
    valid.then_some(Entry { from, days, shards })
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// Returns the shard of a post, from the last eight bytes of its id. Stored keys depend on it: it must never change.
fn shard(id: Id, shards: u64) -> u64 {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let (_, tail) = id.uuid().as_u64_pair();
    (tail.wrapping_mul(GOLDEN_RATIO) >> 32) % shards
}
