//! Field types of response bodies.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::{Handle, Id};

/// The id of a post, a reply, a message or a conversation.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct IdText(String);

/// The id of a user.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct UserIdText(String);

/// A time in RFC 3339, UTC, with milliseconds.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct TimeText(String);

/// A user's unique name.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct HandleText(String);

impl From<Id> for IdText {
    fn from(id: Id) -> Self {
        Self(id.to_string())
    }
}

impl From<Uuid> for UserIdText {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

impl From<Timestamp> for TimeText {
    fn from(at: Timestamp) -> Self {
        Self(rfc3339(at))
    }
}

impl From<&Handle> for HandleText {
    fn from(handle: &Handle) -> Self {
        Self(handle.as_str().to_owned())
    }
}

/// Formats a time in RFC 3339, UTC, with milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}
