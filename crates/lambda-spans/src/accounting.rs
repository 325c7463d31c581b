//! What became of every span, for each destination.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What became of the spans that were meant for one destination, in spans since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the destination.
    pub exported: u64,
    /// Left out on purpose: the trace is not sampled there.
    pub sampled_out: u64,
    /// Lost: the destination refused them, failed, or took longer than the budget.
    pub dropped: u64,
}

/// What became of every span of this process. For each destination that is configured,
/// `created` is the sum of its counts and of what is not finished or not exported yet.
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
pub(crate) struct Accounts(Arc<Books>);

#[derive(Debug, Default)]
struct Books {
    created: AtomicU64,
    xray: Account,
    otlp: Account,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    exported: AtomicU64,
    sampled_out: AtomicU64,
    dropped: AtomicU64,
}

impl Accounts {
    pub(crate) fn created(&self, spans: u64) {
        self.0.created.fetch_add(spans, Relaxed);
    }

    pub(crate) fn xray(&self) -> &Account {
        &self.0.xray
    }

    pub(crate) fn otlp(&self) -> &Account {
        &self.0.otlp
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger { created: self.0.created.load(Relaxed), xray: self.0.xray.counts(), otlp: self.0.otlp.counts() }
    }
}

impl Account {
    pub(crate) fn exported(&self, spans: usize) {
        self.exported.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn sampled_out(&self, spans: usize) {
        self.sampled_out.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn dropped(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            exported: self.exported.load(Relaxed),
            sampled_out: self.sampled_out.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }
}
