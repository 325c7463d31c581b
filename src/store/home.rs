use std::cmp::Reverse;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::items::{self, EXPIRES_MS, number, string};
use super::keys::{self, AFTER_ALL_ACTIVITIES, SHARDS};
use super::{Store, StoreError};
use crate::domain::{Activity, Id, Ttl};

/// The buckets of the first round; together they hold one to two weeks.
const RECENT_BUCKETS: usize = 2;
/// Pages of one partition that a request reads at most: expired posts that DynamoDB has not deleted yet fill some in
/// vain.
const MAX_PAGES: usize = 8;
/// Items read at once after the first page has brought too few.
const LATER_PAGE: i32 = 100;

/// A part of the home feed.
#[derive(Clone, Debug)]
pub struct HomePage {
    /// Posts, the newest first.
    pub activities: Vec<Activity>,
    /// Where the next page begins: before this id. `None` when there is no more.
    ///
    /// A page with a next one may be short, even empty, when many posts have expired.
    pub next: Option<Id>,
}

impl Store {
    /// The newest `limit` posts that are live at `now`, of those that are older than `before` if it is given.
    ///
    /// Reads are eventually consistent. The partitions of a round are read in parallel, the second round only when
    /// the first does not fill the page.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn home(&self, now: Timestamp, limit: u16, before: Option<Id>) -> Result<HomePage, StoreError> {
        let limit = usize::from(limit);
        let newest = before.map_or(now, Id::created_at);
        let buckets: Vec<i64> = keys::buckets(newest, now - Ttl::MAX).collect();
        let (recent, older) = buckets.split_at(buckets.len().min(RECENT_BUCKETS));
        let range = Range { now, limit, before };
        let mut found = self.partitions(recent, &range).await?;
        if found.activities.len() <= limit && found.reached.is_none() {
            found.merge(self.partitions(older, &range).await?);
        }
        Ok(found.page(limit))
    }

    async fn partitions(&self, buckets: &[i64], range: &Range) -> Result<Found, StoreError> {
        let pks = buckets.iter().flat_map(|bucket| (0..SHARDS).map(|shard| keys::home(*bucket, shard)));
        let parts = try_join_all(pks.map(|pk| self.partition(pk, range))).await?;
        Ok(parts.into_iter().fold(Found::default(), |mut all, part| {
            all.merge(part);
            all
        }))
    }

    async fn partition(&self, pk: String, range: &Range) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let mut start = None;
        for page in 0..MAX_PAGES {
            let output = self
                .client
                .query()
                .table_name(&*self.table)
                .key_condition_expression("pk = :pk AND sk < :before")
                .filter_expression("#expires > :now")
                .expression_attribute_names("#expires", EXPIRES_MS)
                .expression_attribute_values(":pk", string(&pk))
                .expression_attribute_values(":before", range.upper())
                .expression_attribute_values(":now", number(range.now.as_millisecond()))
                .scan_index_forward(false)
                .limit(if page == 0 { range.first_page() } else { LATER_PAGE })
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            for item in output.items() {
                found.activities.push(items::to_activity(item)?);
            }
            let Some(last) = output.last_evaluated_key else {
                found.reached = None;
                break;
            };
            found.reached = Some(items::to_position(&last)?);
            if found.activities.len() > range.limit {
                break;
            }
            start = Some(last);
        }
        Ok(found)
    }
}

struct Range {
    now: Timestamp,
    limit: usize,
    before: Option<Id>,
}

impl Range {
    fn upper(&self) -> AttributeValue {
        string(self.before.map_or_else(|| AFTER_ALL_ACTIVITIES.to_owned(), keys::activity_sk))
    }

    /// One more than is shown tells whether there is more.
    fn first_page(&self) -> i32 {
        i32::try_from(self.limit).map_or(i32::MAX, |limit| limit.saturating_add(1))
    }
}

/// What has been read of one or more partitions.
#[derive(Default)]
struct Found {
    activities: Vec<Activity>,
    /// The newest position at which the reading of a partition stopped before its end.
    reached: Option<Id>,
}

impl Found {
    fn merge(&mut self, other: Self) {
        self.activities.extend(other.activities);
        self.reached = self.reached.max(other.reached);
    }

    fn page(self, limit: usize) -> HomePage {
        let Self { mut activities, reached } = self;
        // Beyond that position a partition may hold posts that were not read.
        activities.retain(|activity| reached.is_none_or(|reached| activity.id() >= reached));
        activities.sort_unstable_by_key(|activity| Reverse(activity.id()));
        let more = activities.len() > limit;
        activities.truncate(limit);
        let next = if more { activities.last().map(Activity::id) } else { reached };
        HomePage { activities, next }
    }
}
