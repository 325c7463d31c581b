//! The newest items of a list that is spread over time buckets and shards.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::items::{EXPIRES_MS, Item, number, string};
use super::keys::{self, SHARDS};
use super::pages::{self, Page, ReadItems, ReadLimits};
use super::{Store, StoreError};
use crate::domain::{Id, Ttl};

/// The buckets of the first round, which span one to two weeks.
const RECENT_BUCKETS: usize = 2;

/// A query over all partitions of a list.
pub(super) struct ShardedQuery<'a> {
    /// Returns the partition key of a bucket and a shard.
    pub(super) partition: &'a (dyn Fn(i64, u64) -> String + Send + Sync),
    /// A condition on the items besides being live at `now`.
    pub(super) filter: Filter,
    pub(super) now: Timestamp,
    /// The limits of each partition.
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
    /// All partitions of the recent buckets are read in parallel. The older buckets are read only if the recent ones do
    /// not fill the page.
    pub(super) async fn newest(&self, query: &ShardedQuery<'_>) -> Result<Page<Item>, StoreError> {
        let newest = query.before.map_or(query.now, Id::created_at);
        let buckets: Vec<i64> = keys::buckets(newest, query.now - Ttl::MAX).collect();
        let (recent, older) = buckets.split_at(buckets.len().min(RECENT_BUCKETS));
        let mut found = self.read_buckets(recent, query).await?;
        if !found.is_more_than(query.limits.rows) {
            found = found.merge(self.read_buckets(older, query).await?);
        }
        Ok(found.into_page(query.limits.rows))
    }

    async fn read_buckets(&self, buckets: &[i64], query: &ShardedQuery<'_>) -> Result<ReadItems, StoreError> {
        let partitions = buckets.iter().flat_map(|bucket| (0..SHARDS).map(|shard| (query.partition)(*bucket, shard)));
        let found = try_join_all(partitions.map(|pk| self.read_partition(pk, query))).await?;
        Ok(found.into_iter().fold(ReadItems::default(), ReadItems::merge))
    }

    async fn read_partition(&self, pk: String, query: &ShardedQuery<'_>) -> Result<ReadItems, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .filter_expression(format!("#expires > :now{}", query.filter.expression))
            .set_expression_attribute_names(Some(query.filter.names.clone()))
            .expression_attribute_names("#expires", EXPIRES_MS)
            .set_expression_attribute_values(Some(query.filter.values.clone()))
            .expression_attribute_values(":pk", string(pk))
            .expression_attribute_values(":before", string(keys::before_sk(query.before)))
            .expression_attribute_values(":now", number(query.now.as_millisecond()));
        pages::read(request, query.limits).await
    }
}
