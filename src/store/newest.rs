//! The newest posts of lists that are spread over time buckets and shards, read in parallel and merged.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::items::{self, EXPIRES_MS, Item, number, string};
use super::keys::{self, AFTER_ALL_ACTIVITIES, SHARDS};
use super::pages::{self, Found, Limits, Placed};
use super::{Store, StoreError};
use crate::domain::{Id, Ttl};

/// The buckets of the first round; together they hold one to two weeks.
const RECENT_BUCKETS: usize = 2;

/// Which list, and what of it.
pub(super) struct Newest<'a> {
    /// The partition of a bucket and a shard.
    pub(super) partition: &'a (dyn Fn(i64, u64) -> String + Send + Sync),
    /// What items must fulfil besides being live at `now`.
    pub(super) filter: Filter,
    pub(super) now: Timestamp,
    /// Of each partition.
    pub(super) limits: Limits,
    /// Only what is older than this.
    pub(super) before: Option<Id>,
}

/// A condition on items beyond their keys.
#[derive(Default)]
pub(super) struct Filter {
    /// Begins with ` AND ` unless it is empty.
    pub(super) expression: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Store {
    /// The newest items, and where the next page begins: before that id. Reads are eventually consistent.
    ///
    /// The partitions of a round are read in parallel, the second round only when the first does not fill the page.
    pub(super) async fn newest(&self, list: &Newest<'_>) -> Result<(Vec<Item>, Option<Id>), StoreError> {
        let newest = list.before.map_or(list.now, Id::created_at);
        let buckets: Vec<i64> = keys::buckets(newest, list.now - Ttl::MAX).collect();
        let (recent, older) = buckets.split_at(buckets.len().min(RECENT_BUCKETS));
        let mut found = self.partitions(recent, list).await?;
        if !found.is_more_than(list.limits.rows) {
            found = found.merge(self.partitions(older, list).await?);
        }
        let (rows, next) = found.page(list.limits.rows);
        Ok((rows.into_iter().map(|(_, item)| item).collect(), next))
    }

    async fn partitions(&self, buckets: &[i64], list: &Newest<'_>) -> Result<Found<(Id, Item)>, StoreError> {
        let pks = buckets.iter().flat_map(|bucket| (0..SHARDS).map(|shard| (list.partition)(*bucket, shard)));
        let parts = try_join_all(pks.map(|pk| self.partition(pk, list))).await?;
        Ok(parts.into_iter().fold(Found::none(), Found::merge))
    }

    async fn partition(&self, pk: String, list: &Newest<'_>) -> Result<Found<(Id, Item)>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .filter_expression(format!("#expires > :now{}", list.filter.expression))
            .set_expression_attribute_names(Some(list.filter.names.clone()))
            .expression_attribute_names("#expires", EXPIRES_MS)
            .set_expression_attribute_values(Some(list.filter.values.clone()))
            .expression_attribute_values(":pk", string(&pk))
            .expression_attribute_values(":before", list.upper())
            .expression_attribute_values(":now", number(list.now.as_millisecond()));
        pages::read(query, list.limits, |item| Ok((items::to_position(&item)?, item))).await
    }
}

impl Placed for (Id, Item) {
    fn id(&self) -> Id {
        self.0
    }
}

impl Newest<'_> {
    fn upper(&self) -> AttributeValue {
        string(self.before.map_or_else(|| AFTER_ALL_ACTIVITIES.to_owned(), keys::activity_sk))
    }
}
