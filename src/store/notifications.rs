//! Notifications contain only references. Texts, counters and names are read from their own items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};
use jiff::Timestamp;

use super::batch::{delete_request, put_request};
use super::conversation_items::CONVERSATION;
use super::items::{self, EXPIRES_MS, HANDLE, Item, ItemReader, PARENT, TRACE_CONTEXT, number, string};
use super::keys::{self, AFTER_ALL, Key, NOTIFICATION, NOTIFICATIONS_READ, SK};
use super::pages::Page;
use super::{Store, StoreError};
use crate::domain::{Author, Id, Notification, NotificationKind, Post, Subject};

const KIND: &str = "kind";
const POST: &str = "activity_uuid";
const READ_MS: &str = "read_ms";
/// The maximum number of unread notifications that are counted.
const MAX_UNREAD: i32 = 100;

/// A page of a user's notifications.
#[derive(Clone, Debug)]
pub struct NotificationPage {
    /// The rows, newest first. Notifications of deleted or expired posts are left out.
    pub rows: Vec<NotificationRow>,
    /// The number of unread notifications, at most 100.
    pub unread: usize,
    /// The position from which the next page continues. `None` on the last page.
    pub next: Option<Id>,
}

/// A notification with the current state of its references.
#[derive(Clone, Debug)]
pub struct NotificationRow {
    /// The notification.
    pub notification: Notification,
    /// The user who acted.
    pub actor: Author,
    /// The post that the notification is about. `None` for a conversation.
    pub post: Option<Post>,
    /// Whether the user has not read the notification yet.
    pub unread: bool,
}

impl Store {
    /// Returns the newest `limit` notifications of a user that are live at `now` and older than `before`.
    /// Eventually consistent, in two round trips.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn notifications(
        &self,
        sub: &str,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<NotificationPage, StoreError> {
        let newest = self.newest_notifications(sub, now, limit, before);
        let (Page { rows, next }, read_at) = tokio::try_join!(newest, self.read_at(sub))?;
        let references = self.references(&rows);
        let (unread, found) = tokio::try_join!(self.unread(sub, now, read_at), self.items(&references))?;
        let rows = rows.into_iter().filter_map(|notification| {
            let unread = notification.id.created_at() > read_at;
            self.row(notification, unread, &found, now).transpose()
        });
        Ok(NotificationPage { rows: rows.collect::<Result<_, _>>()?, unread, next })
    }

    /// Marks all notifications as read that exist at `now`.
    ///
    /// # Errors
    /// Those of every read and write.
    pub async fn mark_notifications_read(&self, sub: &str, now: Timestamp) -> Result<(), StoreError> {
        // The present time would also cover notifications that the stream consumer writes later for earlier actions.
        let newest = self.newest_notifications(sub, now, 1, None).await?;
        let Some(newest) = newest.rows.first() else { return Ok(()) };
        let update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(items::key_item(keys::notifications_read(sub))))
            .update_expression("SET #read = :read")
            .condition_expression("attribute_not_exists(pk) OR #read <= :read")
            .expression_attribute_names("#read", READ_MS)
            .expression_attribute_values(":read", number(newest.id.created_at().as_millisecond()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        StoreError::unless_unchanged(update)
    }

    /// Writes notifications, each with the identity of the user who receives it. Idempotent.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn add_notifications(&self, notifications: &[(String, Notification)]) -> Result<(), StoreError> {
        let puts = notifications.iter().map(|(sub, notification)| put_request(notification_item(sub, notification)));
        self.write_all(puts.collect::<Result<_, _>>()?).await
    }

    /// Deletes notifications. Idempotent.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn remove_notifications(&self, notifications: &[(String, Id)]) -> Result<(), StoreError> {
        let keys = notifications.iter().map(|(sub, id)| items::key_item(keys::notification(sub, *id)));
        self.write_all(keys.map(delete_request).collect::<Result<_, _>>()?).await
    }

    /// Deletes the notifications about the likes of a post from those of its author, the user `sub`. Idempotent.
    ///
    /// # Errors
    /// Those of every read and write.
    pub async fn remove_like_notifications(&self, sub: &str, post: Id) -> Result<(), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .filter_expression("#kind = :kind AND #post = :post")
            .projection_expression("pk, sk")
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_names("#post", POST)
            .expression_attribute_values(":pk", string(keys::notifications(sub)))
            .expression_attribute_values(":first", string(keys::since_sk(post.created_at())))
            .expression_attribute_values(":last", string(AFTER_ALL))
            .expression_attribute_values(":kind", string(NotificationKind::Like.as_str()))
            .expression_attribute_values(":post", string(post.to_string()))
            // A notification that was written just before must not remain.
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let mut start = None;
        loop {
            let found = query.clone().set_exclusive_start_key(start).send().await?;
            let keys = found.items.unwrap_or_default().into_iter();
            self.write_all(keys.map(delete_request).collect::<Result<_, _>>()?).await?;
            start = found.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn newest_notifications(
        &self,
        sub: &str,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<Page<Notification>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .expression_attribute_values(":pk", string(keys::notifications(sub)))
            .expression_attribute_values(":before", string(keys::before_sk(before)))
            .scan_index_forward(false)
            // The additional row shows whether there is a next page.
            .limit(i32::from(limit) + 1)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let notifications = found.items().iter().map(read_notification).collect::<Result<_, _>>()?;
        let mut page = Page::cut(notifications, limit, |notification: &Notification| notification.id);
        page.rows.retain(|notification| now < notification.expires_at);
        Ok(page)
    }

    async fn read_at(&self, sub: &str) -> Result<Timestamp, StoreError> {
        let mark = self.item(keys::notifications_read(sub)).await?;
        let at = mark.map(|item| ItemReader { item: &item, entity: NOTIFICATIONS_READ }.time(READ_MS)).transpose()?;
        Ok(at.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    async fn unread(&self, sub: &str, now: Timestamp, read_at: Timestamp) -> Result<usize, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :read AND :last")
            .filter_expression("#expires > :now")
            .expression_attribute_names("#expires", EXPIRES_MS)
            .expression_attribute_values(":pk", string(keys::notifications(sub)))
            .expression_attribute_values(":read", string(keys::after_ms(read_at)))
            .expression_attribute_values(":last", string(AFTER_ALL))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .scan_index_forward(false)
            .select(Select::Count)
            .limit(MAX_UNREAD)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(usize::try_from(found.count).unwrap_or_default())
    }

    /// Returns the distinct keys of the actors' handle claims and of the posts.
    fn references(&self, notifications: &[Notification]) -> Vec<Key> {
        let mut actors: Vec<Key> = notifications.iter().map(|notification| keys::handle(&notification.actor)).collect();
        actors.sort_unstable_by(|a, b| a.pk.cmp(&b.pk));
        actors.dedup();
        let mut subjects: Vec<Subject> = Vec::new();
        for notification in notifications {
            if !subjects.contains(&notification.subject) {
                subjects.push(notification.subject);
            }
        }
        actors.into_iter().chain(subjects.into_iter().filter_map(|subject| self.post_key(subject))).collect()
    }

    fn post_key(&self, subject: Subject) -> Option<Key> {
        match subject {
            Subject::Post { id, parent } => Some(self.schedule.post(id, parent)),
            Subject::Conversation(_) => None,
        }
    }

    /// Returns `None` if the actor or the post does not exist any more.
    fn row(
        &self,
        notification: Notification,
        unread: bool,
        found: &HashMap<Key, Item>,
        now: Timestamp,
    ) -> Result<Option<NotificationRow>, StoreError> {
        let Some(claim) = found.get(&keys::handle(&notification.actor)) else { return Ok(None) };
        let actor = items::read_user(claim)?.author;
        let post = match self.post_key(notification.subject) {
            None => None,
            Some(key) => {
                let Some(item) = found.get(&key) else { return Ok(None) };
                Some(items::read_post(item)?)
            }
        };
        if post.as_ref().is_some_and(|post| !post.is_live(now)) {
            return Ok(None);
        }
        Ok(Some(NotificationRow { notification, actor, post, unread }))
    }
}

fn notification_item(sub: &str, notification: &Notification) -> Item {
    let id = |name: &str, id: Id| (name.to_owned(), string(id.to_string()));
    let mut item = items::key_item(keys::notification(sub, notification.id));
    item.extend(items::named([
        (KIND, string(notification.kind.as_str())),
        (HANDLE, string(notification.actor.as_str())),
    ]));
    match notification.subject {
        Subject::Post { id: post, parent } => {
            item.extend([id(POST, post)]);
            item.extend(parent.map(|parent| id(PARENT, parent)));
        }
        Subject::Conversation(conversation) => item.extend([id(CONVERSATION, conversation)]),
    }
    item.extend(items::expiry_attributes(notification.expires_at));
    item.extend(notification.trace_context.iter().map(|context| (TRACE_CONTEXT.to_owned(), string(context))));
    item
}

fn read_notification(item: &Item) -> Result<Notification, StoreError> {
    let read = ItemReader { item, entity: NOTIFICATION };
    let subject = match read.optional_id(CONVERSATION)? {
        Some(conversation) => Subject::Conversation(conversation),
        None => Subject::Post { id: read.with(POST, Id::parse)?, parent: read.optional_id(PARENT)? },
    };
    Ok(Notification {
        id: read.with(SK, keys::parse_time_sk)?,
        kind: read.with(KIND, NotificationKind::parse)?,
        actor: read.handle()?,
        subject,
        trace_context: read.trace_context()?,
        expires_at: read.expires_at()?,
    })
}
