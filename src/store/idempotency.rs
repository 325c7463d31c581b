use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::items::{self, EXPIRES_MS, Item, Reader, number, string};
use super::keys::{self, IDEMPOTENCY};
use super::transaction::Transaction;
use super::{Store, StoreError};
use crate::domain::{Author, Id};

/// For how long a write that was made under a key is not made again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
const REQUEST_HASH: &str = "request_hash";
const MADE: &str = "made_uuid";
const MADE_EXPIRES_MS: &str = "made_expires_at_ms";
const GROUP: &str = "message_group_uuid";

/// A client's wish that a write happens once, however often it is asked for: an idempotency key in its scope.
#[derive(Clone, Debug)]
pub struct Once {
    scope: String,
    request_hash: String,
    now: Timestamp,
}

/// What a write has made: enough to answer its request again, when the request is at hand.
///
/// It has no text of the request: what a post said is not kept longer than the post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The id of what was made.
    pub id: Id,
    /// Who made it, as shown then.
    pub author: Author,
    /// When it expires, where the request does not say.
    pub expires_at: Option<Timestamp>,
    /// The conversation that it is in.
    pub message_group_uuid: Option<Uuid>,
}

/// A write that has happened, at this request or at an earlier one under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What was made then.
    pub made: Made,
    /// Whether it was at an earlier request.
    pub replayed: bool,
    /// The `traceparent` of that earlier request.
    pub trace_context: Option<String>,
}

impl Written {
    /// It is made by the request that is being answered.
    pub(super) fn now(made: Made) -> Self {
        Self { made, replayed: false, trace_context: None }
    }
}

impl Once {
    /// The key that a client chose, within `scope`: who asks for what. None of the texts has a zero byte.
    #[must_use]
    pub fn new(scope: [&str; 3], key: &str, body: &[u8], now: Timestamp) -> Self {
        let [principal, method, path] = scope;
        let parts = [principal, method, path, key].join("\0");
        Self { scope: hex(&Sha256::digest(parts)), request_hash: hex(&Sha256::digest(body)), now }
    }
}

impl Store {
    /// What was made under that key in the last 24 hours; nothing without a key. A strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] when it was made at another request, [`StoreError::Corrupt`], and those of every read:
    /// `Throttled`, `Unavailable`, `Refused`.
    pub async fn made_before(&self, once: Option<&Once>) -> Result<Option<Written>, StoreError> {
        let Some(once) = once else { return Ok(None) };
        let found = self.item(keys::idempotency(&once.scope)).await?;
        let Some(item) = found else { return Ok(None) };
        let read = Reader { item: &item, entity: IDEMPOTENCY };
        if read.expires_at()? <= once.now {
            return Ok(None);
        }
        if read.text(REQUEST_HASH)? != once.request_hash {
            return Err(StoreError::KeyReused);
        }
        let trace_context = read.optional(items::TRACE_CONTEXT)?.map(str::to_owned);
        Ok(Some(Written { made: to_made(&read)?, replayed: true, trace_context }))
    }

    /// Carries out what makes `made`, and remembers it under the key, if there is one, in the same transaction.
    pub(super) async fn commit_once(
        &self,
        once: Option<&Once>,
        made: Made,
        writes: impl FnOnce(Transaction) -> Result<Transaction, StoreError>,
    ) -> Result<Written, StoreError> {
        let Some(wanted) = once else {
            self.commit(&writes(self.transaction())?).await?;
            return Ok(Written::now(made));
        };
        // First, so that of several broken conditions this one is told.
        let remember = self.transaction().put(IDEMPOTENCY, |put| {
            put.set_item(Some(of_made(wanted, &made)))
                .condition_expression("attribute_not_exists(pk) OR #expires <= :now")
                .expression_attribute_names("#expires", EXPIRES_MS)
                .expression_attribute_values(":now", number(wanted.now.as_millisecond()))
        })?;
        let error = match self.commit(&writes(remember)?).await {
            Ok(()) => return Ok(Written::now(made)),
            Err(error) => error,
        };
        // Another request with this key was faster, or still holds the items.
        let lost = error.is_conflict_on(IDEMPOTENCY) || matches!(error, StoreError::Throttled { .. });
        let before = if lost { self.made_before(once).await? } else { None };
        before.ok_or(error)
    }
}

fn of_made(once: &Once, made: &Made) -> Item {
    let mut item = items::key_item(keys::idempotency(&once.scope));
    item.extend(items::author_attributes(&made.author));
    item.extend(items::expiry_attributes(once.now + REMEMBERED));
    item.extend(items::named([(REQUEST_HASH, string(&once.request_hash)), (MADE, string(made.id.to_string()))]));
    let expires_at = made.expires_at.map(|at| (MADE_EXPIRES_MS, number(at.as_millisecond())));
    let group = made.message_group_uuid.map(|group| (GROUP, string(group)));
    item.extend(expires_at.into_iter().chain(group).map(|(name, value)| (name.to_owned(), value)));
    item.extend(items::trace_context());
    item
}

fn to_made(read: &Reader<'_>) -> Result<Made, StoreError> {
    Ok(Made {
        id: read.with(MADE, Id::parse)?,
        author: read.author()?,
        expires_at: read.has(MADE_EXPIRES_MS).then(|| read.time(MADE_EXPIRES_MS)).transpose()?,
        message_group_uuid: read.has(GROUP).then(|| read.with(GROUP, |text| text.parse().ok())).transpose()?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
