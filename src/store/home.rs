use jiff::Timestamp;

use super::newest::{Filter, Newest};
use super::pages::Limits;
use super::{Store, StoreError, items, keys};
use crate::domain::{Activity, Id};

/// A part of a list of posts.
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
        let home =
            Newest { partition: &keys::home, filter: Filter::default(), now, limits: Limits::showing(limit), before };
        let (found, next) = self.newest(&home).await?;
        Ok(HomePage { activities: found.iter().map(items::to_activity).collect::<Result<_, _>>()?, next })
    }
}
