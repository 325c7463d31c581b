use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};
use jiff::Timestamp;
use uuid::Uuid;

use super::items::{self, EXPIRES_MS, number, string};
use super::keys::{self, LIST, LIST_SK, LISTS};
use super::pages::{self, Page, ReadLimits};
use super::sharded::{Filter, ShardedQuery};
use super::{Store, StoreError};
use crate::domain::{Id, Post, Ttl};

/// The maximum result of [`Store::posts_count`].
const MAX_COUNTED: i32 = 100;
/// The maximum number of `Query` calls of [`Store::posts_count`]. Each evaluates up to 100 items, including expired ones.
const MAX_COUNT_QUERIES: usize = 3;

impl Store {
    /// Returns the newest `limit` posts of all users that are live at `now` and older than `before`.
    /// Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn home(&self, now: Timestamp, limit: u16, before: Option<Id>) -> Result<Page<Post>, StoreError> {
        let (filter, limits) = (Filter::default(), ReadLimits::showing(limit));
        let found = self.newest(&ShardedQuery { partition: &keys::home, filter, now, limits, before }).await?;
        found.try_map(|item| items::read_post(&item))
    }

    /// Returns the newest `limit` posts of a user that are live at `now` and older than `before`.
    /// Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn feed(
        &self,
        user_uuid: Uuid,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<Page<Post>, StoreError> {
        let limits = ReadLimits::showing(limit);
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(LISTS)
            .key_condition_expression("#list = :list AND #sk < :before")
            .filter_expression("#expires > :now")
            .expression_attribute_names("#list", LIST)
            .expression_attribute_names("#sk", LIST_SK)
            .expression_attribute_names("#expires", EXPIRES_MS)
            .expression_attribute_values(":list", string(keys::posts_of(user_uuid)))
            .expression_attribute_values(":before", string(keys::before_sk(before)))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        pages::read([query], limits).await?.into_page(limits.rows).try_map(|item| items::read_post(&item))
    }

    /// Returns the number of posts of a user that are live at `now`, at most 100. Eventually consistent.
    ///
    /// # Errors
    /// Those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn posts_count(&self, user_uuid: Uuid, now: Timestamp) -> Result<u64, StoreError> {
        let (mut count, mut start) = (0, None);
        for _ in 0..MAX_COUNT_QUERIES {
            let output = self
                .client
                .query()
                .table_name(&*self.table)
                .index_name(LISTS)
                .select(Select::Count)
                .key_condition_expression("#list = :list AND #sk >= :oldest")
                .filter_expression("#expires > :now")
                .expression_attribute_names("#list", LIST)
                .expression_attribute_names("#sk", LIST_SK)
                .expression_attribute_names("#expires", EXPIRES_MS)
                .expression_attribute_values(":list", string(keys::posts_of(user_uuid)))
                .expression_attribute_values(":oldest", string(keys::since_sk(now - Ttl::MAX)))
                .expression_attribute_values(":now", number(now.as_millisecond()))
                .scan_index_forward(false)
                .limit(MAX_COUNTED)
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            count += output.count();
            start = output.last_evaluated_key;
            if start.is_none() || count >= MAX_COUNTED {
                break;
            }
        }
        Ok(u64::try_from(count.min(MAX_COUNTED)).unwrap_or_default())
    }
}
