use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{PutRequest, ReturnConsumedCapacity, Select, WriteRequest};
use jiff::Timestamp;

use super::items::{self, EXPIRES_MS, Item, Reader, number, string};
use super::keys::{self, AFTER_ALL_ACTIVITIES, Key, NOTIFICATIONS_READ};
use super::notification_items::{of_notification, to_notification};
use super::reactions::CREATED_MS;
use super::removal::{deletion, of_subject};
use super::{Store, StoreError, pages};
use crate::domain::{Activity, Author, Handle, Id, Notification, Subject};

const READ_MS: &str = "read_ms";
/// What is counted of what a user has not read; more is as good as this.
const MAX_UNREAD: i32 = 100;

/// A part of a user's notifications.
#[derive(Clone, Debug)]
pub struct NotificationPage {
    /// The newest first. One whose post has gone is left out.
    pub rows: Vec<NotificationRow>,
    /// How many the user has not read, at most 100.
    pub unread: usize,
    /// Where the next page begins: before this id. `None` when there is no more.
    pub next: Option<Id>,
}

/// A notification, and what it tells of as it is now.
#[derive(Clone, Debug)]
pub struct NotificationRow {
    /// What happened.
    pub notification: Notification,
    /// Who did it.
    pub actor: Author,
    /// The post or reply that it is about; a conversation is none.
    pub activity: Option<Activity>,
    /// Whether the user has not read it.
    pub unread: bool,
}

impl Store {
    /// The newest `limit` notifications of a user that are live at `now`, of those that are older than `before` if it
    /// is given; eventually consistent, in two round trips.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn notifications(
        &self,
        sub: &str,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<NotificationPage, StoreError> {
        let newest = self.newest_notifications(sub, now, limit, before);
        let ((notifications, next), read_at) = tokio::try_join!(newest, self.read_at(sub))?;
        let told = told_of(&notifications);
        let (unread, found) = tokio::try_join!(self.unread(sub, now, read_at), self.items(&told))?;
        let rows = notifications.into_iter().filter_map(|notification| {
            let unread = notification.id.created_at() > read_at;
            row(notification, unread, &found, now).transpose()
        });
        Ok(NotificationPage { rows: rows.collect::<Result<_, _>>()?, unread, next })
    }

    /// Marks as read all that the user could have seen at `now`.
    ///
    /// # Errors
    /// Those of every read and write.
    pub async fn mark_notifications_read(&self, sub: &str, now: Timestamp) -> Result<(), StoreError> {
        // What comes later from an earlier cause has not been seen: the mark is not the present time.
        let (newest, _) = self.newest_notifications(sub, now, 1, None).await?;
        let Some(newest) = newest.first() else { return Ok(()) };
        let update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(items::of_key(keys::notifications_read(sub))))
            .update_expression("SET #read = :read")
            .condition_expression("attribute_not_exists(pk) OR #read <= :read")
            .expression_attribute_names("#read", READ_MS)
            .expression_attribute_values(":read", number(newest.id.created_at().as_millisecond()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        StoreError::unless_unchanged(update)
    }

    /// Tells users something, once, however often it is called.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn notify(&self, told: &[(String, Notification)]) -> Result<(), StoreError> {
        let puts = told.iter().map(|(sub, notification)| {
            let put = PutRequest::builder().set_item(Some(of_notification(sub, notification))).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        self.write_all(puts.collect::<Result<_, StoreError>>()?).await
    }

    /// Takes back what users were told.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn withdraw(&self, told: &[(String, Id)]) -> Result<(), StoreError> {
        let deletes = told.iter().map(|(sub, id)| deletion(items::of_key(keys::notification(sub, *id))));
        self.write_all(deletes.collect::<Result<_, _>>()?).await
    }

    /// The identities of the users with these handles; who does not exist is left out. Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read.
    pub async fn subs_of(&self, handles: &[Handle]) -> Result<Vec<String>, StoreError> {
        let keys: Vec<Key> = handles.iter().map(keys::handle).collect();
        let found = self.items(&keys).await?;
        let claims = keys.iter().filter_map(|key| found.get(key));
        claims.map(|claim| Ok(items::to_user(claim)?.sub)).collect()
    }

    /// When a user began to like a post or reply, if they still do; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read.
    pub async fn liked_at(&self, activity: Id, user_uuid: uuid::Uuid) -> Result<Option<Timestamp>, StoreError> {
        let like = self.item(keys::like(activity, user_uuid)).await?;
        like.map(|item| Reader { item: &item, entity: keys::LIKE }.time(CREATED_MS)).transpose()
    }

    async fn newest_notifications(
        &self,
        sub: &str,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<(Vec<Notification>, Option<Id>), StoreError> {
        let upper = before.map_or_else(|| AFTER_ALL_ACTIVITIES.to_owned(), keys::activity_sk);
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .expression_attribute_values(":pk", string(keys::notifications(sub)))
            .expression_attribute_values(":before", string(upper))
            .scan_index_forward(false)
            // One more than is shown tells whether there is more.
            .limit(i32::from(limit) + 1)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let mut notifications = found.items().iter().map(to_notification).collect::<Result<Vec<_>, _>>()?;
        let next = pages::cut(&mut notifications, limit, |notification| notification.id);
        notifications.retain(|notification| now < notification.expires_at);
        Ok((notifications, next))
    }

    async fn read_at(&self, sub: &str) -> Result<Timestamp, StoreError> {
        let mark = self.item(keys::notifications_read(sub)).await?;
        let at = mark.map(|item| Reader { item: &item, entity: NOTIFICATIONS_READ }.time(READ_MS)).transpose()?;
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
            .expression_attribute_values(":last", string(AFTER_ALL_ACTIVITIES))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .scan_index_forward(false)
            .select(Select::Count)
            .limit(MAX_UNREAD)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(usize::try_from(found.count).unwrap_or_default())
    }
}

/// The items that hold what is told: who did it, and what it is about.
fn told_of(notifications: &[Notification]) -> Vec<Key> {
    let actors: BTreeSet<&str> = notifications.iter().map(|notification| notification.actor.as_str()).collect();
    let actors = actors.into_iter().filter_map(|handle| Handle::parse(handle).ok()).map(|handle| keys::handle(&handle));
    let mut subjects: Vec<Subject> = Vec::new();
    for notification in notifications {
        if !subjects.contains(&notification.subject) {
            subjects.push(notification.subject);
        }
    }
    actors.chain(subjects.into_iter().filter_map(of_subject)).collect()
}

fn row(
    notification: Notification,
    unread: bool,
    found: &HashMap<Key, Item>,
    now: Timestamp,
) -> Result<Option<NotificationRow>, StoreError> {
    let Some(claim) = found.get(&keys::handle(&notification.actor)) else { return Ok(None) };
    let actor = items::to_user(claim)?.author;
    let activity = match of_subject(notification.subject) {
        None => None,
        Some(key) => {
            let Some(item) = found.get(&key) else { return Ok(None) };
            Some(to_shown(notification.subject, item)?)
        }
    };
    if activity.as_ref().is_some_and(|activity| !activity.is_live(now)) {
        return Ok(None);
    }
    Ok(Some(NotificationRow { notification, actor, activity, unread }))
}

/// A reply is shown as if it were a post.
fn to_shown(subject: Subject, item: &Item) -> Result<Activity, StoreError> {
    match subject {
        Subject::Reply { .. } => {
            let reply = items::to_reply(item)?;
            let (author, message) = (reply.author().clone(), reply.message().clone());
            Ok(Activity::from_parts(reply.id(), author, message, reply.expires_at(), reply.counters()))
        }
        Subject::Activity(_) | Subject::Group(_) => items::to_activity(item),
    }
}
