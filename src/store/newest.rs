//! The newest posts of lists that are spread over time buckets and shards, read in parallel and merged.

use std::cmp::Reverse;
use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::items::{self, EXPIRES_MS, Item, number, string};
use super::keys::{self, AFTER_ALL_ACTIVITIES, SHARDS};
use super::{Store, StoreError};
use crate::domain::{Id, Ttl};

/// The buckets of the first round; together they hold one to two weeks.
const RECENT_BUCKETS: usize = 2;
/// Items read at once after the first page has brought too few.
const LATER_PAGE: i32 = 100;

/// Which list, and what of it.
pub(super) struct Newest<'a> {
    /// The partition of a bucket and a shard.
    pub(super) partition: &'a (dyn Fn(i64, u64) -> String + Send + Sync),
    /// What items must fulfil besides being live at `now`.
    pub(super) filter: Filter,
    pub(super) now: Timestamp,
    pub(super) limit: usize,
    /// Only what is older than this.
    pub(super) before: Option<Id>,
    /// Items that each partition reads at first.
    pub(super) first_page: usize,
    /// Pages of one partition that a request reads at most.
    pub(super) max_pages: usize,
}

/// A condition on items beyond their keys.
#[derive(Default)]
pub(super) struct Filter {
    /// Begins with ` AND ` unless it is empty.
    pub(super) expression: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

/// What has been read of one or more partitions.
#[derive(Default)]
pub(super) struct Found {
    items: Vec<(Id, Item)>,
    /// The newest position at which the reading of a partition stopped before its end.
    reached: Option<Id>,
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
        if found.items.len() <= list.limit && found.reached.is_none() {
            found.merge(self.partitions(older, list).await?);
        }
        Ok(found.page(list.limit))
    }

    async fn partitions(&self, buckets: &[i64], list: &Newest<'_>) -> Result<Found, StoreError> {
        let pks = buckets.iter().flat_map(|bucket| (0..SHARDS).map(|shard| (list.partition)(*bucket, shard)));
        let parts = try_join_all(pks.map(|pk| self.partition(pk, list))).await?;
        Ok(parts.into_iter().fold(Found::default(), |mut all, part| {
            all.merge(part);
            all
        }))
    }

    async fn partition(&self, pk: String, list: &Newest<'_>) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let mut start = None;
        for page in 0..list.max_pages {
            let output = self
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
                .expression_attribute_values(":now", number(list.now.as_millisecond()))
                .scan_index_forward(false)
                .limit(if page == 0 { list.first_page() } else { LATER_PAGE })
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            for item in output.items.unwrap_or_default() {
                found.items.push((items::to_position(&item)?, item));
            }
            let Some(last) = output.last_evaluated_key else {
                found.reached = None;
                break;
            };
            found.reached = Some(items::to_position(&last)?);
            if found.items.len() > list.limit {
                break;
            }
            start = Some(last);
        }
        Ok(found)
    }
}

impl Newest<'_> {
    fn upper(&self) -> AttributeValue {
        string(self.before.map_or_else(|| AFTER_ALL_ACTIVITIES.to_owned(), keys::activity_sk))
    }

    fn first_page(&self) -> i32 {
        i32::try_from(self.first_page).unwrap_or(i32::MAX)
    }
}

impl Found {
    fn merge(&mut self, other: Self) {
        self.items.extend(other.items);
        self.reached = self.reached.max(other.reached);
    }

    fn page(self, limit: usize) -> (Vec<Item>, Option<Id>) {
        let Self { mut items, reached } = self;
        // Beyond that position a partition may hold posts that were not read.
        items.retain(|(id, _)| reached.is_none_or(|reached| *id >= reached));
        items.sort_unstable_by_key(|(id, _)| Reverse(*id));
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|(id, _)| *id) } else { reached };
        (items.into_iter().map(|(_, item)| item).collect(), next)
    }
}
