use jiff::SignedDuration;

use super::{Code, Invalid};

/// The lifetime of a post: one of seven choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// `30-days`
    Days30,
    /// `7-days`
    Days7,
    /// `3-days`
    Days3,
    /// `1-day`
    Day1,
    /// `12-hours`
    Hours12,
    /// `3-hours`
    Hours3,
    /// `1-hour`
    Hour1,
}

impl Ttl {
    /// All choices, longest first.
    pub const ALL: [Self; 7] =
        [Self::Days30, Self::Days7, Self::Days3, Self::Day1, Self::Hours12, Self::Hours3, Self::Hour1];

    /// The longest lifetime of a post.
    pub const MAX: SignedDuration = Self::Days30.lifetime();

    /// Parses a choice, such as `7-days`.
    ///
    /// # Errors
    /// [`Code::TtlBlank`] for a missing and for an unknown choice: the original API has only this code.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ttl = Self::ALL.into_iter().find(|ttl| ttl.as_str() == text);
        ttl.ok_or_else(|| Invalid::new(Code::TtlBlank))
    }

    /// Returns the choice as clients send it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Days30 => "30-days",
            Self::Days7 => "7-days",
            Self::Days3 => "3-days",
            Self::Day1 => "1-day",
            Self::Hours12 => "12-hours",
            Self::Hours3 => "3-hours",
            Self::Hour1 => "1-hour",
        }
    }

    /// Returns the duration.
    #[must_use]
    pub const fn lifetime(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Days30 => 30 * 24,
            Self::Days7 => 7 * 24,
            Self::Days3 => 3 * 24,
            Self::Day1 => 24,
            Self::Hours12 => 12,
            Self::Hours3 => 3,
            Self::Hour1 => 1,
        })
    }
}
