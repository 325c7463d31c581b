use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::StoreError;
use super::items::{self, Item};
use crate::domain::Id;

/// Pages of one partition that a request reads at most: expired posts that DynamoDB has not deleted yet fill some in
/// vain.
const MAX_PAGES: usize = 8;
/// Items read at once after the first page has brought too few.
const LATER_PAGE: i32 = 100;

/// What has a place in a list of posts.
pub(super) trait Placed {
    fn id(&self) -> Id;
}

/// What has been read of a partition.
pub(super) struct Found<T> {
    rows: Vec<T>,
    /// Where the reading stopped before the end.
    reached: Option<Id>,
}

impl<T: Placed> Found<T> {
    /// The newest `limit` rows, and before which the next page begins, if there is more.
    pub(super) fn page(self, limit: usize) -> (Vec<T>, Option<Id>) {
        let Self { mut rows, reached } = self;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(Placed::id) } else { reached };
        (rows, next)
    }
}

/// Reads one partition of posts backwards, until there are more than `limit` rows, or as far as a request may go.
pub(super) async fn read<T: Placed>(
    query: QueryFluentBuilder,
    limit: usize,
    to_row: impl Fn(&Item) -> Result<T, StoreError>,
) -> Result<Found<T>, StoreError> {
    let mut found = Found { rows: Vec::new(), reached: None };
    let mut start = None;
    // One more than is shown tells whether there is more.
    let first_page = i32::try_from(limit).map_or(i32::MAX, |limit| limit.saturating_add(1));
    for page in 0..MAX_PAGES {
        let output = query
            .clone()
            .scan_index_forward(false)
            .limit(if page == 0 { first_page } else { LATER_PAGE })
            .set_exclusive_start_key(start.take())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        for item in output.items() {
            found.rows.push(to_row(item)?);
        }
        let Some(last) = output.last_evaluated_key else {
            found.reached = None;
            break;
        };
        found.reached = Some(items::to_position(&last)?);
        if found.rows.len() > limit {
            break;
        }
        start = Some(last);
    }
    Ok(found)
}
