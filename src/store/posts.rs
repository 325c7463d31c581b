use jiff::Timestamp;

use super::batch::{Consistency, is_at};
use super::items::{self, AUTHOR_SUB, GRANDPARENT, Item, PARENT, Reader};
use super::keys::{self, ACTIVITY, Entity, Key, REPLY, REPLY_LOCATOR};
use super::{Store, StoreError};
use crate::domain::{Id, Post};

/// A post or a reply as it was read, with what only the store knows of it.
#[derive(Clone, Debug)]
pub struct StoredPost {
    /// What others see.
    pub post: Post,
    pub(super) author_sub: String,
    /// The item whose replies it is one of.
    pub(super) parent: Option<Key>,
}

impl StoredPost {
    /// Whether the user with that identity wrote it.
    #[must_use]
    pub fn is_by(&self, sub: &str) -> bool {
        self.author_sub == sub
    }

    pub(super) fn key(&self) -> Key {
        match &self.post {
            Post::Activity(activity) => keys::activity(activity.id()),
            Post::Reply(reply) => keys::reply(reply.parent(), reply.id()),
        }
    }

    pub(super) fn entity(&self) -> Entity {
        match &self.post {
            Post::Activity(_) => ACTIVITY,
            Post::Reply(_) => REPLY,
        }
    }
}

impl Store {
    /// The post or the reply with that id, unless it has expired by `now`; strongly consistent reads.
    ///
    /// A reply takes two reads, one after the other: its id alone does not say where it is.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn post(&self, id: Id, now: Timestamp) -> Result<Option<StoredPost>, StoreError> {
        let (activity, locator) = (keys::activity(id), keys::reply_locator(id));
        let found = self.read_items(vec![activity.clone(), locator.clone()], Consistency::Strong).await?;
        let stored = match found.iter().find(|item| is_at(item, &activity)) {
            Some(item) => Some(to_stored_activity(item)?),
            None => match found.iter().find(|item| is_at(item, &locator)) {
                Some(item) => self.reply(Reader { item, entity: REPLY_LOCATOR }.with(PARENT, Id::parse)?, id).await?,
                None => None,
            },
        };
        Ok(stored.filter(|stored| stored.post.is_live(now)))
    }

    async fn reply(&self, parent: Id, id: Id) -> Result<Option<StoredPost>, StoreError> {
        let found = self.item(keys::reply(parent, id)).await?;
        found.as_ref().map(to_stored_reply).transpose()
    }
}

fn to_stored_activity(item: &Item) -> Result<StoredPost, StoreError> {
    let author_sub = Reader { item, entity: ACTIVITY }.text(AUTHOR_SUB)?.to_owned();
    Ok(StoredPost { post: Post::Activity(items::to_activity(item)?), author_sub, parent: None })
}

fn to_stored_reply(item: &Item) -> Result<StoredPost, StoreError> {
    let read = Reader { item, entity: REPLY };
    let reply = items::to_reply(item)?;
    let grandparent = read.has(GRANDPARENT).then(|| read.with(GRANDPARENT, Id::parse)).transpose()?;
    let parent = match grandparent {
        Some(grandparent) => keys::reply(grandparent, reply.parent()),
        None => keys::activity(reply.parent()),
    };
    let author_sub = read.text(AUTHOR_SUB)?.to_owned();
    Ok(StoredPost { post: Post::Reply(reply), author_sub, parent: Some(parent) })
}
