use std::cmp::Reverse;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::StoreError;
use super::items::{self, Item};
use crate::domain::Id;

/// The `Limit` of each `Query` after the first, which returned too few live items.
const LATER_QUERY: i32 = 100;
/// How many items more than its share the first `Query` of a shard reads. A second one is rarely necessary then.
const UNEVEN: usize = 6;

/// A page of a list.
///
/// A page with a next one can have fewer rows than the limit, or none, if DynamoDB has not deleted expired items yet.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows in the order of the list.
    pub rows: Vec<T>,
    /// The position from which the next page continues. `None` on the last page.
    pub next: Option<Id>,
}

impl<T> Page<T> {
    /// Creates a page from the result of a query for one row more than `limit`.
    pub(super) fn cut(mut rows: Vec<T>, limit: u16, position: impl Fn(&T) -> Id) -> Self {
        let limit = usize::from(limit);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(position);
        Self { rows, next }
    }

    /// Creates a page from the newest `limit` rows of several lists. A row of two lists appears once.
    ///
    /// `stopped_at` is the newest position at which reading stopped before the end of a list.
    pub(super) fn newest(mut rows: Vec<(Id, T)>, stopped_at: Option<Id>, limit: usize) -> Self {
        // A list may contain unread rows that are older than `stopped_at`.
        rows.retain(|(position, _)| stopped_at.is_none_or(|stopped_at| *position >= stopped_at));
        rows.sort_unstable_by_key(|(position, _)| Reverse(*position));
        rows.dedup_by_key(|(position, _)| *position);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|(position, _)| *position) } else { stopped_at };
        Self { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
    }

    pub(super) fn try_map<U>(self, row: impl Fn(T) -> Result<U, StoreError>) -> Result<Page<U>, StoreError> {
        Ok(Page { rows: self.rows.into_iter().map(row).collect::<Result<_, _>>()?, next: self.next })
    }
}

/// Bounds how much of a bucket's partitions one request reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimits {
    /// The rows of the page.
    pub(super) rows: usize,
    /// The `Limit` of the first `Query`. The shards of a bucket share it.
    pub(super) first_query: usize,
    /// The maximum number of `Query` calls for a partition.
    pub(super) queries: usize,
}

impl ReadLimits {
    /// For queries whose items are nearly all shown.
    pub(super) fn showing(rows: u16) -> Self {
        let rows = usize::from(rows);
        // The additional row shows whether there is a next page.
        Self { rows, first_query: rows + 1, queries: 8 }
    }

    /// Returns the `Limit` of the first `Query` of each of so many partitions, among which the newest items are spread
    /// evenly, but not exactly.
    fn first_query_of(self, partitions: usize) -> i32 {
        let share = self.first_query.div_ceil(partitions.max(1)) + UNEVEN;
        i32::try_from(share.min(self.first_query)).unwrap_or(i32::MAX)
    }
}

/// Items of one or more partitions with their positions, not sorted yet.
#[derive(Default)]
pub(super) struct ReadItems {
    items: Vec<(Id, Item)>,
    /// The newest position at which reading stopped before the end of a partition.
    stopped_at: Option<Id>,
}

impl ReadItems {
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        Self { items: self.items, stopped_at: self.stopped_at.max(other.stopped_at) }
    }

    /// Returns whether the newest `rows` items and one more are known, given that all unread items are older than
    /// `unread`; or whether a limit was reached before.
    pub(super) fn fills(&self, rows: usize, unread: Timestamp) -> bool {
        let is_final = |position: Id| position.created_at() >= unread;
        self.stopped_at.is_some_and(is_final)
            || self.items.iter().filter(|(position, _)| is_final(*position)).count() > rows
    }

    /// Returns the newest `limit` items.
    pub(super) fn into_page(self, limit: usize) -> Page<Item> {
        Page::newest(self.items, self.stopped_at, limit)
    }
}

/// Reads partitions of posts in parallel and in descending order, until their newest `limits.rows` items and one more are
/// known or a limit is reached.
pub(super) async fn read(
    queries: impl IntoIterator<Item = QueryFluentBuilder>,
    limits: ReadLimits,
) -> Result<ReadItems, StoreError> {
    let mut partitions: Vec<Partition> = queries.into_iter().map(Partition::new).collect();
    let first_query = limits.first_query_of(partitions.len());
    for number in 0..limits.queries {
        let needed = nth_newest(&partitions, limits.rows);
        let limit = if number == 0 { first_query } else { LATER_QUERY };
        let unread = partitions.iter_mut().filter(|partition| partition.may_have_newer_than(needed));
        let read = try_join_all(unread.map(|partition| partition.read(limit))).await?;
        if read.is_empty() {
            break;
        }
    }
    Ok(partitions.into_iter().map(Partition::into_items).fold(ReadItems::default(), ReadItems::merge))
}

/// A partition that is read by one `Query` after the other.
struct Partition {
    query: QueryFluentBuilder,
    items: Vec<(Id, Item)>,
    progress: Progress,
}

enum Progress {
    Unread,
    StoppedAt { position: Id, start: Item },
    Ended,
}

impl Partition {
    fn new(query: QueryFluentBuilder) -> Self {
        let query = query.scan_index_forward(false).return_consumed_capacity(ReturnConsumedCapacity::Total);
        Self { query, items: Vec::new(), progress: Progress::Unread }
    }

    fn may_have_newer_than(&self, needed: Option<Id>) -> bool {
        match &self.progress {
            Progress::Unread => true,
            Progress::StoppedAt { position, .. } => needed.is_none_or(|needed| *position > needed),
            Progress::Ended => false,
        }
    }

    async fn read(&mut self, limit: i32) -> Result<(), StoreError> {
        let start = match std::mem::replace(&mut self.progress, Progress::Ended) {
            Progress::StoppedAt { start, .. } => Some(start),
            Progress::Unread | Progress::Ended => None,
        };
        let output = self.query.clone().limit(limit).set_exclusive_start_key(start).send().await?;
        for item in output.items.unwrap_or_default() {
            self.items.push((items::read_position(&item)?, item));
        }
        if let Some(start) = output.last_evaluated_key {
            self.progress = Progress::StoppedAt { position: items::read_position(&start)?, start };
        }
        Ok(())
    }

    fn into_items(self) -> ReadItems {
        let stopped_at = match self.progress {
            Progress::StoppedAt { position, .. } => Some(position),
            Progress::Unread | Progress::Ended => None,
        };
        ReadItems { items: self.items, stopped_at }
    }
}

/// Returns the position of the item that `rows` newer ones precede, if there are so many.
fn nth_newest(partitions: &[Partition], rows: usize) -> Option<Id> {
    let mut positions: Vec<Id> =
        partitions.iter().flat_map(|partition| partition.items.iter().map(|(position, _)| *position)).collect();
    positions.sort_unstable_by_key(|position| Reverse(*position));
    positions.get(rows).copied()
}
