//! Counts of spans by destination and result.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;

use crate::attributes as keys;

/// How often a trace is kept only because it reports dropped spans. Without a limit, a receiver that is down would get all
/// traces.
const REPORT_EVERY: Duration = Duration::from_secs(60);

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Refused,
    Overflowed,
    Unsent,
    /// Counted separately, because the program can change where its spans start.
    Orphaned,
}

impl DropReason {
    const ALL: [Self; 4] = [Self::Refused, Self::Overflowed, Self::Unsent, Self::Orphaned];

    /// Returns the attribute of a root span that reports such drops. OTLP has no unsent spans.
    fn key(self, destination: Destination) -> Option<&'static str> {
        Some(match (destination, self) {
            (Destination::Xray, Self::Refused) => keys::LAMBDA_SPANS_DROPPED_XRAY_REFUSED,
            (Destination::Xray, Self::Overflowed) => keys::LAMBDA_SPANS_DROPPED_XRAY_OVERFLOWED,
            (Destination::Xray, Self::Unsent) => keys::LAMBDA_SPANS_DROPPED_XRAY_UNSENT,
            (Destination::Xray, Self::Orphaned) => keys::LAMBDA_SPANS_DROPPED_XRAY_ORPHANED,
            (Destination::Otlp, Self::Refused) => keys::LAMBDA_SPANS_DROPPED_OTLP_REFUSED,
            (Destination::Otlp, Self::Overflowed) => keys::LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED,
            (Destination::Otlp, Self::Orphaned) => keys::LAMBDA_SPANS_DROPPED_OTLP_ORPHANED,
            (Destination::SecondOtlp, Self::Refused) => keys::LAMBDA_SPANS_DROPPED_SECOND_OTLP_REFUSED,
            (Destination::SecondOtlp, Self::Overflowed) => keys::LAMBDA_SPANS_DROPPED_SECOND_OTLP_OVERFLOWED,
            (Destination::SecondOtlp, Self::Orphaned) => keys::LAMBDA_SPANS_DROPPED_SECOND_OTLP_ORPHANED,
            (Destination::Otlp | Destination::SecondOtlp, Self::Unsent) => return None,
        })
    }
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
    /// Spans of other programs. They are part of all other counts, and sampled out for X-Ray.
    pub forwarded: Forwarded,
}

/// Counts of the spans that this process forwards for other programs, such as web pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Passed to the OTLP destinations.
    pub accepted: u64,
    /// Rejected by the program, because they were invalid.
    pub rejected: u64,
    /// Accepted and later dropped, for all OTLP destinations together.
    pub dropped: u64,
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
    /// The sum of what root spans have reported, so that most of them need no lock.
    reported: AtomicU64,
    report: Mutex<DropReport>,
    forwarded: ForwardedCounters,
}

#[derive(Debug, Default)]
struct ForwardedCounters {
    accepted: AtomicU64,
    rejected: AtomicU64,
    dropped: AtomicU64,
}

/// What root spans have reported.
#[derive(Debug, Default)]
struct DropReport {
    counts: [[u64; DropReason::ALL.len()]; Destination::ALL.len()],
    last: Option<SystemTime>,
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

/// A number of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpanCount {
    pub(crate) own: usize,
    /// Of other programs.
    pub(crate) forwarded: usize,
}

impl SpanCount {
    pub(crate) fn new(spans: usize, is_forwarded: bool) -> Self {
        if is_forwarded { Self { own: 0, forwarded: spans } } else { Self { own: spans, forwarded: 0 } }
    }

    pub(crate) fn all(self) -> usize {
        self.own + self.forwarded
    }

    /// Returns the first `count` of them. A batch has one kind of spans.
    pub(crate) fn first(self, count: usize) -> Self {
        Self { own: self.own.min(count), forwarded: self.forwarded.min(count) }
    }
}

impl std::ops::AddAssign for SpanCount {
    fn add_assign(&mut self, other: Self) {
        self.own += other.own;
        self.forwarded += other.forwarded;
    }
}

impl Accounts {
    pub(crate) fn created(&self, spans: u64) {
        self.0.created.fetch_add(spans, Relaxed);
    }

    pub(crate) fn account(&self, destination: Destination) -> &Account {
        #[expect(clippy::indexing_slicing, reason = "each destination has an account")]
        &self.0.accounts[destination as usize]
    }

    /// Counts spans of other programs that are to be forwarded, and those that are not.
    pub(crate) fn forwarded(&self, accepted: usize, rejected: usize) {
        self.created(accepted as u64);
        self.0.forwarded.accepted.fetch_add(accepted as u64, Relaxed);
        self.0.forwarded.rejected.fetch_add(rejected as u64, Relaxed);
    }

    /// Counts dropped spans for a destination.
    pub(crate) fn dropped(&self, destination: Destination, reason: DropReason, spans: SpanCount) {
        self.account(destination).dropped(reason, spans.all());
        self.0.forwarded.dropped.fetch_add(spans.forwarded as u64, Relaxed);
    }

    /// Returns whether spans were dropped that no root span has reported.
    pub(crate) fn has_unreported_drops(&self) -> bool {
        let dropped: u64 = self.0.accounts.iter().map(Account::all_dropped).sum();
        dropped != self.0.reported.load(Relaxed)
    }

    /// Returns the numbers of spans that were dropped since the last report, as attributes of a root span that ends at
    /// `end`.
    ///
    /// `may_wait`: whether the trace would be left out otherwise. Such a report is made once a minute.
    pub(crate) fn report_drops(&self, end: SystemTime, may_wait: bool) -> Vec<KeyValue> {
        let mut report = self.0.report.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |last| end.duration_since(last).is_ok_and(|since| since < REPORT_EVERY);
        if may_wait && report.last.is_some_and(is_recent) {
            return Vec::new();
        }
        report.last = Some(end);
        let (mut attributes, mut total) = (Vec::new(), 0);
        for ((destination, account), known) in
            Destination::ALL.into_iter().zip(&self.0.accounts).zip(&mut report.counts)
        {
            for (reason, known) in DropReason::ALL.into_iter().zip(known) {
                let count = account.counter(reason).load(Relaxed);
                let new = i64::try_from(count - *known).unwrap_or(i64::MAX);
                *known = count;
                total += count;
                if let Some(key) = reason.key(destination)
                    && new > 0
                {
                    attributes.push(KeyValue::new(key, new));
                }
            }
        }
        self.0.reported.store(total, Relaxed);
        attributes
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            created: self.0.created.load(Relaxed),
            xray: self.account(Destination::Xray).counts(),
            otlp: self.account(Destination::Otlp).counts(),
            second_otlp: self.account(Destination::SecondOtlp).counts(),
            forwarded: Forwarded {
                accepted: self.0.forwarded.accepted.load(Relaxed),
                rejected: self.0.forwarded.rejected.load(Relaxed),
                dropped: self.0.forwarded.dropped.load(Relaxed),
            },
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
        self.counter(reason).fetch_add(spans as u64, Relaxed);
    }

    fn counter(&self, reason: DropReason) -> &AtomicU64 {
        match reason {
            DropReason::Refused => &self.refused,
            DropReason::Overflowed => &self.overflowed,
            DropReason::Unsent => &self.unsent,
            DropReason::Orphaned => &self.orphaned,
        }
    }

    fn all_dropped(&self) -> u64 {
        DropReason::ALL.into_iter().map(|reason| self.counter(reason).load(Relaxed)).sum()
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn report(accounts: &Accounts, seconds: u64, may_wait: bool) -> Vec<String> {
        let attributes = accounts.report_drops(at(seconds), may_wait);
        attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect()
    }

    #[test]
    fn drops_are_reported_once_by_destination_and_reason() {
        let accounts = Accounts::default();
        assert!(!accounts.has_unreported_drops());
        accounts.account(Destination::Xray).dropped(DropReason::Unsent, 2);
        accounts.account(Destination::Otlp).dropped(DropReason::Refused, 3);
        accounts.account(Destination::Otlp).dropped(DropReason::Orphaned, 1);
        assert!(accounts.has_unreported_drops());
        let expected = [
            "lambda_spans.dropped.xray.unsent=2",
            "lambda_spans.dropped.otlp.refused=3",
            "lambda_spans.dropped.otlp.orphaned=1",
        ];
        assert_eq!(report(&accounts, 10, false), expected);
        assert!(!accounts.has_unreported_drops());
        assert_eq!(report(&accounts, 11, false), [""; 0]);
        accounts.account(Destination::Otlp).dropped(DropReason::Refused, 4);
        accounts.account(Destination::SecondOtlp).dropped(DropReason::Overflowed, 5);
        let expected = ["lambda_spans.dropped.otlp.refused=4", "lambda_spans.dropped.second_otlp.overflowed=5"];
        assert_eq!(report(&accounts, 12, false), expected);
    }

    #[test]
    fn report_that_may_wait_is_made_once_a_minute() {
        let accounts = Accounts::default();
        let account = accounts.account(Destination::Otlp);
        account.dropped(DropReason::Refused, 1);
        assert_eq!(report(&accounts, 100, true), ["lambda_spans.dropped.otlp.refused=1"]);
        account.dropped(DropReason::Refused, 1);
        assert_eq!(report(&accounts, 159, true), [""; 0]);
        assert!(accounts.has_unreported_drops());
        account.dropped(DropReason::Refused, 1);
        assert_eq!(report(&accounts, 160, true), ["lambda_spans.dropped.otlp.refused=2"]);
        account.dropped(DropReason::Refused, 1);
        assert_eq!(report(&accounts, 161, false), ["lambda_spans.dropped.otlp.refused=1"]);
    }
}
