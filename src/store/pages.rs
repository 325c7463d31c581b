use std::cmp::Reverse;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::StoreError;
use super::items::{self, Item};
use crate::domain::Id;

/// The `Limit` of each `Query` after the first, which returned too few live items.
const LATER_QUERY: i32 = 100;

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

    pub(super) fn try_map<U>(self, row: impl Fn(T) -> Result<U, StoreError>) -> Result<Page<U>, StoreError> {
        Ok(Page { rows: self.rows.into_iter().map(row).collect::<Result<_, _>>()?, next: self.next })
    }
}

/// Bounds how much of a partition one request reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimits {
    /// The rows of the page.
    pub(super) rows: usize,
    /// The `Limit` of the first `Query`.
    pub(super) first_query: usize,
    /// The maximum number of `Query` calls.
    pub(super) queries: usize,
}

impl ReadLimits {
    /// For queries whose items are nearly all shown.
    pub(super) fn showing(rows: u16) -> Self {
        let rows = usize::from(rows);
        // The additional row shows whether there is a next page.
        Self { rows, first_query: rows + 1, queries: 8 }
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

    /// Returns whether there are more than `rows` items, or items that were not read.
    pub(super) fn is_more_than(&self, rows: usize) -> bool {
        self.items.len() > rows || self.stopped_at.is_some()
    }

    /// Returns the newest `limit` items.
    pub(super) fn into_page(self, limit: usize) -> Page<Item> {
        let Self { mut items, stopped_at } = self;
        // A partition may contain unread items that are older than `stopped_at`.
        items.retain(|(position, _)| stopped_at.is_none_or(|stopped_at| *position >= stopped_at));
        items.sort_unstable_by_key(|(position, _)| Reverse(*position));
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|(position, _)| *position) } else { stopped_at };
        Page { rows: items.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// Reads a partition of posts in descending order until there are more items than rows or a limit is reached.
pub(super) async fn read(query: QueryFluentBuilder, limits: ReadLimits) -> Result<ReadItems, StoreError> {
    let mut found = ReadItems::default();
    let mut start = None;
    let first_query = i32::try_from(limits.first_query).unwrap_or(i32::MAX);
    for number in 0..limits.queries {
        let output = query
            .clone()
            .scan_index_forward(false)
            .limit(if number == 0 { first_query } else { LATER_QUERY })
            .set_exclusive_start_key(start.take())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        for item in output.items.unwrap_or_default() {
            found.items.push((items::read_position(&item)?, item));
        }
        let Some(last) = output.last_evaluated_key else {
            found.stopped_at = None;
            break;
        };
        found.stopped_at = Some(items::read_position(&last)?);
        if found.items.len() > limits.rows {
            break;
        }
        start = Some(last);
    }
    Ok(found)
}
