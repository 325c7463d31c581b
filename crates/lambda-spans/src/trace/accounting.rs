//! What became of every span, for each destination.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::trace::destinations::Destination;

/// What became of the spans that were meant for one destination, in spans since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the destination.
    pub exported: u64,
    /// Left out on purpose: the trace is not sampled there.
    pub sampled_out: u64,
    /// Finished and not exported yet: they wait for the next export.
    pub carried: u64,
    /// Lost.
    pub dropped: Dropped,
}

/// Why spans were lost, in spans since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The receiver said that it will not take them.
    pub refused: u64,
    /// More waited than may wait: the oldest went.
    pub overflowed: u64,
    /// The socket did not take them, or there was no time left.
    pub unsent: u64,
}

impl Dropped {
    /// All that were lost.
    #[must_use]
    pub fn total(self) -> u64 {
        self.refused + self.overflowed + self.unsent
    }
}

/// Why spans were lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DropReason {
    Refused,
    Overflowed,
    Unsent,
}

/// What became of every span of this process.
///
/// When all spans have ended, `created` is the sum of the counts of each destination that is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Spans that were started within an invocation or request.
    pub created: u64,
    /// AWS X-Ray.
    pub xray: Counts,
    /// OTLP, such as Honeycomb.
    pub otlp: Counts,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(Arc<LedgerCounters>);

#[derive(Debug, Default)]
struct LedgerCounters {
    created: AtomicU64,
    xray: Account,
    otlp: Account,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    entered: AtomicU64,
    exported: AtomicU64,
    sampled_out: AtomicU64,
    refused: AtomicU64,
    overflowed: AtomicU64,
    unsent: AtomicU64,
}

impl Accounts {
    pub(crate) fn created(&self, spans: u64) {
        self.0.created.fetch_add(spans, Relaxed);
    }

    pub(crate) fn account(&self, destination: Destination) -> &Account {
        match destination {
            Destination::Xray => &self.0.xray,
            Destination::Otlp => &self.0.otlp,
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger { created: self.0.created.load(Relaxed), xray: self.0.xray.counts(), otlp: self.0.otlp.counts() }
    }
}

impl Account {
    /// Counts spans that have ended and are meant for this destination. One of the other counters follows for each.
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
        let carried = self.entered.load(Relaxed).saturating_sub(exported + sampled_out + dropped.total());
        Counts { exported, sampled_out, carried, dropped }
    }
}
