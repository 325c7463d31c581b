//! Caches the user pool's public keys.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::error_chain::error_chain;
use crate::json;
use crate::store;

/// Minimum interval between two reads. Clients choose the key ids in their tokens, so unknown ids cause at most one read
/// per interval, which concurrent requests share. A new key is accepted at the latest one interval after it is published.
const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Age at which the set is read again, so that a removed key stops being accepted.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

type ReadFuture = Pin<Box<dyn Future<Output = Result<Vec<u8>, ReadError>> + Send>>;
/// The error of a failed read of the key set.
pub type ReadError = Box<dyn Error + Send + Sync>;

/// The key set with the keys of the last successful read.
pub(super) struct KeySet {
    read: Box<dyn Fn() -> ReadFuture + Send + Sync>,
    known: RwLock<Known>,
    /// Held while the set is read.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<DecodingKey>>,
    last: Option<LastRead>,
    read_at: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct LastRead {
    began_at: Timestamp,
    succeeded: bool,
}

/// Why no key was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The set does not contain the key.
    Unknown,
    /// The set cannot be read.
    Unavailable,
}

impl KeySet {
    pub(super) fn new<F>(read: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<u8>, ReadError>> + Send + 'static,
    {
        let read = Box::new(move || -> ReadFuture { Box::pin(read()) });
        Self { read, known: RwLock::default(), reading: Mutex::default() }
    }

    /// Returns the key with id `kid`. Reads the set again if it lacks the key or is older than [`FRESH`], unless the
    /// last read was too recent. Of concurrent requests, one reads.
    pub(super) async fn key(&self, kid: &str, now: Timestamp) -> Result<Arc<DecodingKey>, NoKey> {
        if let Some(key) = self.known_key(kid) {
            // The known key stays valid while another request reads the set.
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

    /// Reads the set before the first request.
    pub(super) async fn prefetch(&self, now: Timestamp) {
        let _reading = self.reading.lock().await;
        self.read(now).await;
    }

    async fn read_unless_recent(&self, kid: &str, now: Timestamp) -> Result<Arc<DecodingKey>, NoKey> {
        let last = self.known().last;
        // A clock that was set back must not stop reads.
        let recent = last.is_some_and(|last| now.duration_since(last.began_at).abs() < INTERVAL);
        let succeeded = if recent { last.is_some_and(|last| last.succeeded) } else { self.read(now).await };
        let none = if succeeded { NoKey::Unknown } else { NoKey::Unavailable };
        self.known_key(kid).ok_or(none)
    }

    /// Reads the set and returns whether that succeeded.
    async fn read(&self, now: Timestamp) -> bool {
        // Stored before the read, because the request that reads may be cancelled.
        self.change(|known| known.last = Some(LastRead { began_at: now, succeeded: false }));
        let text = store::stop_at_deadline((self.read)()).await.unwrap_or_else(|error| Err(error.into()));
        match text.and_then(|text| parse(&text)) {
            Ok(keys) => {
                let last = Some(LastRead { began_at: now, succeeded: true });
                self.change(|known| *known = Known { keys, last, read_at: Some(now) });
                true
            }
            Err(error) => {
                tracing::warn!(error.causes = error_chain(Some(&*error)), "cannot read the key set of the user pool");
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

/// A JSON Web Key Set (RFC 7517). Each key is parsed separately, so that a malformed one does not discard the others.
#[derive(Deserialize)]
struct JsonWebKeySet {
    keys: Vec<serde_json::Value>,
}

/// Returns the keys for RS256 signatures by their ids, and ignores all other keys.
fn parse(text: &[u8]) -> Result<HashMap<String, Arc<DecodingKey>>, ReadError> {
    let set: JsonWebKeySet = json::parse(text)?;
    let keys: HashMap<_, _> =
        set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).filter_map(rs256_key).collect();
    // An empty set is more likely a fault of the server than the removal of all keys.
    if keys.is_empty() { Err("it contains no key for RS256".into()) } else { Ok(keys) }
}

fn rs256_key(key: Jwk) -> Option<(String, Arc<DecodingKey>)> {
    let verifies_rs256 = matches!(key.algorithm, AlgorithmParameters::RSA(_))
        && key.common.key_algorithm.is_none_or(|algorithm| algorithm == KeyAlgorithm::RS256)
        && key.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let decoding_key = DecodingKey::from_jwk(&key).ok().filter(|_| verifies_rs256)?;
    Some((key.common.key_id?, Arc::new(decoding_key)))
}
