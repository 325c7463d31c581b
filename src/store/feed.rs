use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};
use jiff::Timestamp;
use uuid::Uuid;

use super::items::{self, EXPIRES_MS, Item, number, string};
use super::keys::{self, ACTIVITY, AFTER_ALL_ACTIVITIES, LIST, LIST_SK, LISTS};
use super::pages::{self, Limits, Placed};
use super::{Store, StoreError};
use crate::domain::{Author, Id, Message, Ttl};

/// Posts that are counted at most.
const MAX_COUNTED: i32 = 1000;
/// Requests for one count at most, each of so many posts, expired or not, and of a megabyte.
const MAX_PAGES: usize = 3;

/// A post as the index has it, which knows no counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPost {
    /// The post's id.
    pub id: Id,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub message: Message,
    /// The first moment at which nobody sees it any more.
    pub expires_at: Timestamp,
}

/// A part of one user's posts.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// Posts, the newest first.
    pub posts: Vec<ListedPost>,
    /// Where the next page begins: before this id. `None` when there is no more.
    pub next: Option<Id>,
}

impl Store {
    /// The user's newest `limit` posts that are live at `now`, of those that are older than `before` if it is given.
    /// Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn feed(
        &self,
        user_uuid: Uuid,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<FeedPage, StoreError> {
        let limits = Limits::showing(limit);
        let upper = before.map_or_else(|| AFTER_ALL_ACTIVITIES.to_owned(), keys::activity_sk);
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(LISTS)
            .key_condition_expression("#list = :list AND #sk < :before")
            .filter_expression("#expires > :now")
            .expression_attribute_names("#list", LIST)
            .expression_attribute_names("#sk", LIST_SK)
            .expression_attribute_names("#expires", EXPIRES_MS)
            .expression_attribute_values(":list", string(keys::posts_of(user_uuid)))
            .expression_attribute_values(":before", string(upper))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        let (posts, next) = pages::read(query, limits, |item| to_listed_post(&item)).await?.page(limits.rows);
        Ok(FeedPage { posts, next })
    }

    /// How many posts of the user are live at `now`, up to 1,000. Eventually consistent.
    ///
    /// # Errors
    /// Those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn posts_count(&self, user_uuid: Uuid, now: Timestamp) -> Result<u64, StoreError> {
        let (mut count, mut start) = (0, None);
        for _ in 0..MAX_PAGES {
            let output = self
                .client
                .query()
                .table_name(&*self.table)
                .index_name(LISTS)
                .select(Select::Count)
                .key_condition_expression("#list = :list AND #sk >= :oldest")
                .filter_expression("#expires > :now")
                .expression_attribute_names("#list", LIST)
                .expression_attribute_names("#sk", LIST_SK)
                .expression_attribute_names("#expires", EXPIRES_MS)
                .expression_attribute_values(":list", string(keys::posts_of(user_uuid)))
                .expression_attribute_values(":oldest", string(keys::activities_since(now - Ttl::MAX)))
                .expression_attribute_values(":now", number(now.as_millisecond()))
                .scan_index_forward(false)
                .limit(MAX_COUNTED)
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            count += output.count();
            start = output.last_evaluated_key;
            if start.is_none() || count >= MAX_COUNTED {
                break;
            }
        }
        Ok(u64::try_from(count.min(MAX_COUNTED)).unwrap_or_default())
    }
}

impl Placed for ListedPost {
    fn id(&self) -> Id {
        self.id
    }
}

fn to_listed_post(item: &Item) -> Result<ListedPost, StoreError> {
    let read = items::Reader { item, entity: ACTIVITY };
    Ok(ListedPost {
        id: items::to_position(item)?,
        author: read.author()?,
        message: Message::accepted(read.text(items::MESSAGE)?.to_owned()),
        expires_at: read.expires_at()?,
    })
}
