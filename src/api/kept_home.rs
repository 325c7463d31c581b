//! Keeps the anonymous first page of the home feed in memory for a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::HeaderValue;
use jiff::{SignedDuration, Timestamp};

use crate::store::WriteCount;

/// The time for which an answer is kept.
const LIFETIME: SignedDuration = SignedDuration::from_secs(1);
/// The number of answers, one for each `limit`. It bounds the memory, since a long page has 150 KB.
const MAX_KEPT: usize = 4;

/// The answers by their `limit`. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptHome(Arc<Mutex<HashMap<u16, Kept>>>);

/// A rendered page.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) body: Bytes,
    pub(super) link: Option<HeaderValue>,
    /// The number of posts.
    pub(super) rows: usize,
}

#[derive(Debug)]
struct Kept {
    answer: Answer,
    writes: WriteCount,
    from: Timestamp,
    /// Exclusive.
    until: Timestamp,
}

impl KeptHome {
    /// Returns the answer for that limit if it is valid at `now` and nothing was written since it was read.
    pub(super) fn get(&self, limit: u16, now: Timestamp, writes: WriteCount) -> Option<Answer> {
        let kept = self.lock();
        kept.get(&limit).filter(|kept| kept.is_valid(now, writes)).map(|kept| kept.answer.clone())
    }

    /// Keeps an answer that was read at `now`, after `writes`. `expires_at` is the time at which its first post expires.
    pub(super) fn put(
        &self,
        limit: u16,
        now: Timestamp,
        writes: WriteCount,
        expires_at: Option<Timestamp>,
        answer: &Answer,
    ) {
        let until = (now + LIFETIME).min(expires_at.unwrap_or(Timestamp::MAX));
        let mut kept = self.lock();
        kept.retain(|_, kept| kept.is_valid(now, writes));
        if kept.len() < MAX_KEPT {
            kept.insert(limit, Kept { answer: answer.clone(), writes, from: now, until });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_valid(&self, now: Timestamp, writes: WriteCount) -> bool {
        // The clock may have been set back.
        self.writes == writes && self.from <= now && now < self.until
    }
}
