use std::fmt;

use jiff::Timestamp;
use uuid::{Builder, Uuid, Variant, Version};

/// A UUID of version 7, which contains the time of its creation.
///
/// Posts, direct messages, conversations and notifications have one. Ids sort by time, then by their random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    created_at: Timestamp,
    uuid: Uuid,
}

impl Id {
    /// The latest time that an id can contain: the last with 13 decimal digits of milliseconds, in the year 2286.
    pub const MAX_TIME: Timestamp = Timestamp::constant(9_999_999_999, 999_000_000);

    /// Creates an id from a time and random bits. The time is truncated to milliseconds and clamped to the range from
    /// 1970 to [`MAX_TIME`](Self::MAX_TIME).
    #[must_use]
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        let ms = at.clamp(Timestamp::UNIX_EPOCH, Self::MAX_TIME).as_millisecond();
        let uuid = Builder::from_unix_timestamp_millis(ms.unsigned_abs(), &random).into_uuid();
        Self { created_at: Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH), uuid }
    }

    /// Parses the hyphenated form of 36 characters. Returns `None` for any text that [`new`](Self::new) cannot produce.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const HYPHENATED: usize = 36;
        let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == HYPHENATED)?;
        Self::from_uuid(uuid)
    }

    /// Converts a UUID. Returns `None` unless its version is 7 and its time is in range.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Option<Self> {
        let v7 = uuid.get_version() == Some(Version::SortRand) && uuid.get_variant() == Variant::RFC4122;
        let ms = i64::try_from(uuid.as_u128() >> 80).ok().filter(|_| v7)?;
        let created_at = Timestamp::from_millisecond(ms).ok().filter(|at| *at <= Self::MAX_TIME)?;
        Some(Self { created_at, uuid })
    }

    /// Returns the time of creation in whole milliseconds.
    #[must_use]
    pub fn created_at(self) -> Timestamp {
        self.created_at
    }

    /// Returns the id as a plain UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
