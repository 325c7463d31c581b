//! The newest items of a list that is spread over time buckets and shards.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::items::{EXPIRES_MS, Item, number, string};
use super::keys;
use super::pages::{self, Page, ReadItems, ReadLimits};
use super::schedule::Bucket;
use super::{Store, StoreError};
use crate::domain::Id;

/// A query over all partitions of a list.
pub(super) struct ShardedQuery<'a> {
    /// Returns the partition key of a bucket, given by its start, and a shard.
    pub(super) partition: &'a (dyn Fn(i64, u64) -> String + Send + Sync),
    /// A condition on the items besides being live at `now`.
    pub(super) filter: Filter,
    pub(super) now: Timestamp,
    /// The limits of each bucket.
    pub(super) limits: ReadLimits,
    /// Excludes this position and all newer ones.
    pub(super) before: Option<Id>,
}

/// A filter expression with its placeholders.
#[derive(Default)]
pub(super) struct Filter {
    /// Empty, or a continuation that begins with ` AND `.
    pub(super) expression: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Store {
    /// Returns the newest items. Reads are eventually consistent.
    ///
    /// Reads the current bucket first. Only if it does not fill the page, reads the older ones that can contain live
    /// posts, in parallel.
    pub(super) async fn newest(&self, query: &ShardedQuery<'_>) -> Result<Page<Item>, StoreError> {
        let newest = query.before.map_or(query.now, Id::created_at);
        let buckets = self.schedule.buckets(newest, self.layout.oldest(query.now));
        let (current, older) = buckets.split_at(buckets.len().min(1));
        let mut found = self.read_buckets(current, query).await?;
        if older.first().is_some_and(|unread| !found.fills(query.limits.rows, unread.until)) {
            found = found.merge(self.read_buckets(older, query).await?);
        }
        Ok(found.into_page(query.limits.rows))
    }

    async fn read_buckets(&self, buckets: &[Bucket], query: &ShardedQuery<'_>) -> Result<ReadItems, StoreError> {
        let read = buckets.iter().map(|bucket| {
            let shards = (0..bucket.shards).map(|shard| (query.partition)(bucket.start, shard));
            pages::read(shards.map(|pk| self.partition(pk, query)), query.limits)
        });
        let found = try_join_all(read).await?;
        Ok(found.into_iter().fold(ReadItems::default(), ReadItems::merge))
    }

    fn partition(&self, pk: String, query: &ShardedQuery<'_>) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .filter_expression(format!("#expires > :now{}", query.filter.expression))
            .set_expression_attribute_names(Some(query.filter.names.clone()))
            .expression_attribute_names("#expires", EXPIRES_MS)
            .set_expression_attribute_values(Some(query.filter.values.clone()))
            .expression_attribute_values(":pk", string(pk))
            .expression_attribute_values(":before", string(keys::before_sk(query.before)))
            .expression_attribute_values(":now", number(query.now.as_millisecond()))
    }
}
