//! The pool's public keys, as far as they are known.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::causes::causes;
use crate::store;

/// Between two readings that were asked for by a key we do not know: anybody can name one.
const AFTER_SUCCESS: SignedDuration = SignedDuration::from_secs(60);
/// Between two readings when the first has failed: until one succeeds, nobody can sign in.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);
/// After that time the set is read again, so that a key that was taken out of it ends.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

type Reading = Pin<Box<dyn Future<Output = Result<Vec<u8>, ReadError>> + Send>>;
/// Why a key set could not be read.
pub type ReadError = Box<dyn Error + Send + Sync>;

/// A key set that can be read, and the keys that the last reading gave. Those stay when a later reading fails.
pub(super) struct KeySet {
    read: Box<dyn Fn() -> Reading + Send + Sync>,
    known: RwLock<Known>,
    /// Held by the one that reads.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<DecodingKey>>,
    last: Option<LastReading>,
    read_at: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct LastReading {
    began_at: Timestamp,
    succeeded: bool,
}

/// Why there is no key of that id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The set does not have it.
    Unknown,
    /// The set cannot be read now, so nobody knows.
    Unavailable,
}

impl KeySet {
    pub(super) fn new<F>(read: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<u8>, ReadError>> + Send + 'static,
    {
        let read = Box::new(move || -> Reading { Box::pin(read()) });
        Self { read, known: RwLock::default(), reading: Mutex::default() }
    }

    /// The key of that id. Reads the set again when it does not have the key or is no longer fresh, unless it was
    /// read a moment ago; of many that would read, one does.
    pub(super) async fn key(&self, kid: &str, now: Timestamp) -> Result<Arc<DecodingKey>, NoKey> {
        if let Some(key) = self.known_key(kid) {
            // Whoever comes while another reads need not wait: the key is good enough for now.
            let reading = if self.is_fresh(now) { None } else { self.reading.try_lock().ok() };
            return match reading {
                Some(_reading) => self.read_unless_recent(kid, now).await,
                None => Ok(key),
            };
        }
        let _reading = self.reading.lock().await;
        match self.known_key(kid) {
            Some(key) => Ok(key),
            None => self.read_unless_recent(kid, now).await,
        }
    }

    /// Reads the set for the first time, so that the first token finds its key.
    pub(super) async fn prefetch(&self, now: Timestamp) {
        let _reading = self.reading.lock().await;
        self.read(now).await;
    }

    async fn read_unless_recent(&self, kid: &str, now: Timestamp) -> Result<Arc<DecodingKey>, NoKey> {
        let last = self.known().last;
        let wait = |last: LastReading| if last.succeeded { AFTER_SUCCESS } else { AFTER_FAILURE };
        // A clock that was set back must not stop readings.
        let recent = last.is_some_and(|last| now.duration_since(last.began_at).abs() < wait(last));
        let succeeded = if recent { last.is_some_and(|last| last.succeeded) } else { self.read(now).await };
        let none = if succeeded { NoKey::Unknown } else { NoKey::Unavailable };
        self.known_key(kid).ok_or(none)
    }

    /// Whether it succeeded.
    async fn read(&self, now: Timestamp) -> bool {
        // Said before, since the request that reads may be given up.
        self.change(|known| known.last = Some(LastReading { began_at: now, succeeded: false }));
        let text = store::stop_at_deadline((self.read)()).await.unwrap_or_else(|none_left| Err(none_left.into()));
        match text.and_then(|text| parse(&text)) {
            Ok(keys) => {
                let last = Some(LastReading { began_at: now, succeeded: true });
                self.change(|known| *known = Known { keys, last, read_at: Some(now) });
                true
            }
            Err(error) => {
                tracing::warn!(error.causes = causes(Some(&*error)), "the key set of the user pool cannot be read");
                false
            }
        }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.known().read_at.is_some_and(|at| now.duration_since(at).abs() < FRESH)
    }

    fn known_key(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        self.known().keys.get(kid).cloned()
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct JsonWebKeySet {
    keys: Vec<JsonWebKey>,
}

#[derive(Deserialize)]
struct JsonWebKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The keys for RS256 signatures; others are passed over.
fn parse(text: &[u8]) -> Result<HashMap<String, Arc<DecodingKey>>, ReadError> {
    let set: JsonWebKeySet = serde_json::from_slice(text)?;
    let keys: HashMap<_, _> = set.keys.into_iter().filter_map(JsonWebKey::into_rs256).collect();
    // An empty answer is a fault of the server rather than the end of all keys.
    if keys.is_empty() { Err("it has no key for RS256".into()) } else { Ok(keys) }
}

impl JsonWebKey {
    fn into_rs256(self) -> Option<(String, Arc<DecodingKey>)> {
        let signs = self.kty == "RSA"
            && self.alg.is_none_or(|alg| alg == "RS256")
            && self.r#use.is_none_or(|purpose| purpose == "sig");
        let key = DecodingKey::from_rsa_components(&self.n?, &self.e?).ok().filter(|_| signs)?;
        Some((self.kid?, Arc::new(key)))
    }
}
