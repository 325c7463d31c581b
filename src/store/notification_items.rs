//! Notifications as items. They say what they are about and who did it; texts and names are read where they are.

use std::collections::HashMap;

use super::StoreError;
use super::conversation_items::GROUP;
use super::items::{self, HANDLE, Item, PARENT, Reader, TRACE_CONTEXT, named, string};
use super::keys::{self, NOTIFICATION, SK};
use crate::domain::{Handle, Id, Kind, Notification, Subject};

const KIND: &str = "kind";
const ACTIVITY_UUID: &str = "activity_uuid";

pub(super) fn of_notification(sub: &str, notification: &Notification) -> Item {
    let mut item = items::of_key(keys::notification(sub, notification.id));
    item.extend(named([(KIND, string(notification.kind.as_str())), (HANDLE, string(notification.actor.as_str()))]));
    item.extend(subject(notification.subject));
    item.extend(items::expiry_attributes(notification.expires_at));
    item.extend(notification.trace_context.iter().map(|context| (TRACE_CONTEXT.to_owned(), string(context))));
    item
}

fn subject(subject: Subject) -> Item {
    let text = |(name, id): (&'static str, Id)| (name.to_owned(), string(id.to_string()));
    match subject {
        Subject::Activity(id) => HashMap::from([text((ACTIVITY_UUID, id))]),
        Subject::Reply { parent, id } => HashMap::from([text((ACTIVITY_UUID, id)), text((PARENT, parent))]),
        Subject::Group(id) => HashMap::from([text((GROUP, id))]),
    }
}

pub(super) fn to_notification(item: &Item) -> Result<Notification, StoreError> {
    let read = Reader { item, entity: NOTIFICATION };
    let parent = read.optional(PARENT)?;
    let subject = match (read.optional(GROUP)?, parent) {
        (Some(_), _) => Subject::Group(read.with(GROUP, Id::parse)?),
        (None, Some(_)) => {
            Subject::Reply { parent: read.with(PARENT, Id::parse)?, id: read.with(ACTIVITY_UUID, Id::parse)? }
        }
        (None, None) => Subject::Activity(read.with(ACTIVITY_UUID, Id::parse)?),
    };
    Ok(Notification {
        id: read.with(SK, keys::parse_activity_sk)?,
        kind: read.with(KIND, Kind::parse)?,
        actor: read.with(HANDLE, |text| Handle::parse(text).ok())?,
        subject,
        trace_context: read.optional(TRACE_CONTEXT)?.map(str::to_owned),
        expires_at: read.expires_at()?,
    })
}
