//! Counts of spans by destination and result.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Where spans are exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Xray,
    Otlp,
    SecondOtlp,
}

impl Destination {
    pub(crate) const ALL: [Self; 3] = [Self::Xray, Self::Otlp, Self::SecondOtlp];

    /// The prefix of the destination's metrics, and its name in log lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Xray => "XRay",
            Self::Otlp => "Otlp",
            Self::SecondOtlp => "SecondOtlp",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of destinations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations(u8);

impl Destinations {
    pub(crate) const ALL: Self = Self((1 << Destination::ALL.len()) - 1);
    /// Destinations in which a finished span replaces the same span in progress: X-Ray, if it gets documents.
    pub(crate) const REPLACING: Self = Self(Destination::Xray.bit());

    pub(crate) fn contains(self, destination: Destination) -> bool {
        self.0 & destination.bit() != 0
    }

    /// Adds `destination` if `enabled`.
    pub(crate) fn with(self, destination: Destination, enabled: bool) -> Self {
        Self(self.0 | if enabled { destination.bit() } else { 0 })
    }

    pub(crate) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Destination> {
        Destination::ALL.into_iter().filter(move |destination| self.contains(*destination))
    }
}

/// Counts of the spans for one destination since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent to the destination.
    pub exported: u64,
    /// Not sampled for the destination.
    pub sampled_out: u64,
    /// Waiting for a later export.
    pub carried: u64,
    /// Dropped.
    pub dropped: Dropped,
    /// Started outside of every invocation and dropped because of a limit.
    pub orphaned: u64,
}

/// Counts of dropped spans by reason since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The receiver rejected them.
    pub refused: u64,
    /// Too many spans were waiting, or a trace exceeded X-Ray's limit.
    pub overflowed: u64,
    /// X-Ray only: the UDP socket rejected them, or the daemon's address could not be resolved.
    pub unsent: u64,
}

impl Dropped {
    /// Returns the sum over all reasons.
    #[must_use]
    pub fn total(self) -> u64 {
        self.refused + self.overflowed + self.unsent
    }
}

/// The reason why spans were dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DropReason {
    Refused,
    Overflowed,
    Unsent,
    /// Counted separately, because the program can change where its spans start.
    Orphaned,
}

/// Counts of all spans of this process.
///
/// When all spans have ended, `created` equals the sum of the counts of each configured destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Spans that started.
    pub created: u64,
    /// AWS X-Ray.
    pub xray: Counts,
    /// OTLP, such as Honeycomb.
    pub otlp: Counts,
    /// The second OTLP destination.
    pub second_otlp: Counts,
}

impl Ledger {
    pub(crate) fn counts(&self, destination: Destination) -> Counts {
        match destination {
            Destination::Xray => self.xray,
            Destination::Otlp => self.otlp,
            Destination::SecondOtlp => self.second_otlp,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(Arc<LedgerCounters>);

#[derive(Debug, Default)]
struct LedgerCounters {
    created: AtomicU64,
    accounts: [Account; Destination::ALL.len()],
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    entered: AtomicU64,
    exported: AtomicU64,
    sampled_out: AtomicU64,
    refused: AtomicU64,
    overflowed: AtomicU64,
    unsent: AtomicU64,
    orphaned: AtomicU64,
}

impl Accounts {
    pub(crate) fn created(&self, spans: u64) {
        self.0.created.fetch_add(spans, Relaxed);
    }

    pub(crate) fn account(&self, destination: Destination) -> &Account {
        #[expect(clippy::indexing_slicing, reason = "each destination has an account")]
        &self.0.accounts[destination as usize]
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            created: self.0.created.load(Relaxed),
            xray: self.account(Destination::Xray).counts(),
            otlp: self.account(Destination::Otlp).counts(),
            second_otlp: self.account(Destination::SecondOtlp).counts(),
        }
    }
}

impl Account {
    /// Counts ended spans that this destination should receive. One of the other counters follows for each span.
    pub(crate) fn entered(&self, spans: usize) {
        self.entered.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn exported(&self, spans: usize) {
        self.exported.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn sampled_out(&self, spans: usize) {
        self.sampled_out.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn dropped(&self, reason: DropReason, spans: usize) {
        let counter = match reason {
            DropReason::Refused => &self.refused,
            DropReason::Overflowed => &self.overflowed,
            DropReason::Unsent => &self.unsent,
            DropReason::Orphaned => &self.orphaned,
        };
        counter.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let (exported, sampled_out) = (self.exported.load(Relaxed), self.sampled_out.load(Relaxed));
        let dropped = Dropped {
            refused: self.refused.load(Relaxed),
            overflowed: self.overflowed.load(Relaxed),
            unsent: self.unsent.load(Relaxed),
        };
        let orphaned = self.orphaned.load(Relaxed);
        let settled = exported + sampled_out + dropped.total() + orphaned;
        let carried = self.entered.load(Relaxed).saturating_sub(settled);
        Counts { exported, sampled_out, carried, dropped, orphaned }
    }
}
