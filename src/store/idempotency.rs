use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::items::{self, EXPIRES_MS, Item, ItemReader, number, string};
use super::keys::{self, IDEMPOTENCY};
use super::transaction::Transaction;
use super::{Store, StoreError};
use crate::domain::{Author, Id};

/// How long an idempotency key is stored.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);
const REQUEST_HASH: &str = "request_hash";
const CREATED: &str = "made_uuid";
const CREATED_EXPIRES_MS: &str = "made_expires_at_ms";
const GROUP: &str = "message_group_uuid";

/// An idempotency key in its scope, with a hash of the request. Requests with equal keys have one effect.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    scope: String,
    request_hash: String,
    now: Timestamp,
}

/// The result of a write. Together with the request, it suffices to send the response again.
///
/// It contains no text of the request, so that it does not keep a post's text longer than the post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRecord {
    /// The id of the created item.
    pub id: Id,
    /// The author at the time of the write.
    pub author: Author,
    /// The expiry, if it does not follow from the request.
    pub expires_at: Option<Timestamp>,
    /// The conversation of a message.
    pub message_group_uuid: Option<Id>,
}

/// A write that this request or an earlier one with the same key has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOutcome {
    /// The result of the write.
    pub record: WriteRecord,
    /// Whether an earlier request did the write.
    pub replayed: bool,
    /// The `traceparent` of the earlier request.
    pub trace_context: Option<String>,
}

impl WriteOutcome {
    /// The outcome of a write by this request.
    pub(super) fn first(record: WriteRecord) -> Self {
        Self { record, replayed: false, trace_context: None }
    }
}

impl IdempotencyKey {
    /// Binds a client's key to `scope`: principal, method and path. The texts must not contain a zero byte.
    #[must_use]
    pub fn new(scope: [&str; 3], key: &str, body: &[u8], now: Timestamp) -> Self {
        let [principal, method, path] = scope;
        let parts = [principal, method, path, key].join("\0");
        Self { scope: hex(&Sha256::digest(parts)), request_hash: hex(&Sha256::digest(body)), now }
    }
}

impl Store {
    /// Returns the write of an earlier request with the same key in the last 24 hours. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] if that request had another body, [`StoreError::Corrupt`], and those of every read:
    /// `Throttled`, `Unavailable`, `Rejected`.
    pub async fn earlier_write(&self, key: Option<&IdempotencyKey>) -> Result<Option<WriteOutcome>, StoreError> {
        let Some(key) = key else { return Ok(None) };
        let found = self.item(keys::idempotency(&key.scope)).await?;
        let Some(item) = found else { return Ok(None) };
        let read = ItemReader { item: &item, entity: IDEMPOTENCY };
        if read.expires_at()? <= key.now {
            return Ok(None);
        }
        if read.text(REQUEST_HASH)? != key.request_hash {
            return Err(StoreError::KeyReused);
        }
        let trace_context = read.optional(items::TRACE_CONTEXT)?.map(str::to_owned);
        Ok(Some(WriteOutcome { record: to_record(&read)?, replayed: true, trace_context }))
    }

    /// Commits `writes`, and stores `record` under the key in the same transaction, if there is a key.
    pub(super) async fn commit_idempotent(
        &self,
        key: Option<&IdempotencyKey>,
        record: WriteRecord,
        writes: impl FnOnce(Transaction) -> Result<Transaction, StoreError>,
    ) -> Result<WriteOutcome, StoreError> {
        let Some(key) = key else {
            self.commit(&writes(self.transaction())?).await?;
            return Ok(WriteOutcome::first(record));
        };
        // First, because the transaction reports the first broken condition.
        let transaction = self.transaction().put(IDEMPOTENCY, |put| {
            put.set_item(Some(to_item(key, &record)))
                .condition_expression("attribute_not_exists(pk) OR #expires <= :now")
                .expression_attribute_names("#expires", EXPIRES_MS)
                .expression_attribute_values(":now", number(key.now.as_millisecond()))
        })?;
        let error = match self.commit(&writes(transaction)?).await {
            Ok(()) => return Ok(WriteOutcome::first(record)),
            Err(error) => error,
        };
        // A concurrent request with this key was faster, or its transaction is still running.
        let is_race = error.is_conflict_on(IDEMPOTENCY) || matches!(error, StoreError::Throttled { .. });
        let earlier = if is_race { self.earlier_write(Some(key)).await? } else { None };
        earlier.ok_or(error)
    }
}

fn to_item(key: &IdempotencyKey, record: &WriteRecord) -> Item {
    let mut item = items::key_item(keys::idempotency(&key.scope));
    item.extend(items::author_attributes(&record.author));
    item.extend(items::expiry_attributes(key.now + RETENTION));
    item.extend(items::named([(REQUEST_HASH, string(&key.request_hash)), (CREATED, string(record.id.to_string()))]));
    let expires_at = record.expires_at.map(|at| (CREATED_EXPIRES_MS, number(at.as_millisecond())));
    let group = record.message_group_uuid.map(|group| (GROUP, string(group.to_string())));
    item.extend(expires_at.into_iter().chain(group).map(|(name, value)| (name.to_owned(), value)));
    item.extend(items::trace_context());
    item
}

fn to_record(read: &ItemReader<'_>) -> Result<WriteRecord, StoreError> {
    Ok(WriteRecord {
        id: read.with(CREATED, Id::parse)?,
        author: read.author()?,
        expires_at: read.has(CREATED_EXPIRES_MS).then(|| read.time(CREATED_EXPIRES_MS)).transpose()?,
        message_group_uuid: read.has(GROUP).then(|| read.with(GROUP, Id::parse)).transpose()?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
