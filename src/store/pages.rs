//! A page of a list, of one partition or of several that are merged.

use std::cmp::Reverse;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::StoreError;
use super::items::{self, Item};
use crate::domain::Id;

/// Items read at once after the first page has brought too few.
const LATER_PAGE: i32 = 100;

/// What has a place in a list of posts.
pub(super) trait Placed {
    fn id(&self) -> Id;
}

/// How much of a partition is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// What is shown.
    pub(super) rows: usize,
    /// Items that are read at first.
    pub(super) first_page: usize,
    /// Pages that a request reads at most: expired posts that DynamoDB has not deleted yet fill some in vain.
    pub(super) pages: usize,
}

impl Limits {
    /// Where nearly all that is read is shown.
    pub(super) fn showing(rows: u16) -> Self {
        let rows = usize::from(rows);
        // One more than is shown tells whether there is more.
        Self { rows, first_page: rows + 1, pages: 8 }
    }
}

/// What has been read of one or more partitions.
pub(super) struct Found<T> {
    rows: Vec<T>,
    /// The newest position at which the reading of a partition stopped before its end.
    reached: Option<Id>,
}

impl<T: Placed> Found<T> {
    pub(super) fn none() -> Self {
        Self { rows: Vec::new(), reached: None }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        Self { rows: self.rows, reached: self.reached.max(other.reached) }
    }

    /// Whether there are more than `rows`, or more to read.
    pub(super) fn is_more_than(&self, rows: usize) -> bool {
        self.rows.len() > rows || self.reached.is_some()
    }

    /// The newest `limit` rows, and before which the next page begins, if there is more.
    pub(super) fn page(self, limit: usize) -> (Vec<T>, Option<Id>) {
        let Self { mut rows, reached } = self;
        // Beyond that position a partition may hold posts that were not read.
        rows.retain(|row| reached.is_none_or(|reached| row.id() >= reached));
        rows.sort_unstable_by_key(|row| Reverse(row.id()));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(Placed::id) } else { reached };
        (rows, next)
    }
}

/// Reads one partition of posts backwards, until there are more rows than are shown, or as far as a request may go.
pub(super) async fn read<T: Placed>(
    query: QueryFluentBuilder,
    limits: Limits,
    to_row: impl Fn(Item) -> Result<T, StoreError>,
) -> Result<Found<T>, StoreError> {
    let mut found = Found::none();
    let mut start = None;
    let first_page = i32::try_from(limits.first_page).unwrap_or(i32::MAX);
    for page in 0..limits.pages {
        let output = query
            .clone()
            .scan_index_forward(false)
            .limit(if page == 0 { first_page } else { LATER_PAGE })
            .set_exclusive_start_key(start.take())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        for item in output.items.unwrap_or_default() {
            found.rows.push(to_row(item)?);
        }
        let Some(last) = output.last_evaluated_key else {
            found.reached = None;
            break;
        };
        found.reached = Some(items::to_position(&last)?);
        if found.rows.len() > limits.rows {
            break;
        }
        start = Some(last);
    }
    Ok(found)
}

/// Cuts off the row that is one more than was asked for, and tells where the next page begins if there was one.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: u16, place: impl Fn(&T) -> Id) -> Option<Id> {
    let limit = usize::from(limit);
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(place)
}
