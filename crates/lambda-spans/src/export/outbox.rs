//! Finished spans that no destination has received yet.

use std::mem;
use std::sync::{Mutex, PoisonError};

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;
use tracing::warn;

use crate::trace::accounting::{Accounts, Destination, Destinations, DropReason, SpanCount};
use crate::trace::finished::{FinishedSpans, SpanSink, XrayContext};
use crate::trace::importance::{is_essential, reduce};
use crate::trace::sampling::Decisions;
use crate::trace::size;

/// The maximum number of spans that wait for the next export, and the maximum size of their data in memory.
const MAX: Waiting = Waiting { spans: 16 * 1024, bytes: 32 * 1024 * 1024 };
/// The same for roots and errors.
const MAX_ESSENTIAL: Waiting = Waiting { spans: 32 * 1024, bytes: 40 * 1024 * 1024 };

/// Spans that wait, and the size of their data in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    spans: usize,
    bytes: usize,
}

impl Waiting {
    fn plus(self, bytes: usize) -> Self {
        Self { spans: self.spans + 1, bytes: self.bytes + bytes }
    }

    fn is_within(self, limit: Self) -> bool {
        self.spans <= limit.spans && self.bytes <= limit.bytes
    }
}

#[derive(Debug)]
pub(crate) struct Outbox {
    contents: Mutex<Contents>,
    arrived: Notify,
    accounts: Accounts,
    configured: Destinations,
    replacing: Destinations,
}

#[derive(Debug, Default)]
struct Contents {
    finished: Vec<FinishedSpans>,
    waiting: Waiting,
    /// Spans that were omitted since the last export.
    omitted: usize,
    has_logged: bool,
}

impl Outbox {
    /// `replacing` are the destinations in which a finished span replaces the same span in progress.
    pub(super) fn new(accounts: Accounts, configured: Destinations, replacing: Destinations) -> Self {
        Self { contents: Mutex::default(), arrived: Notify::new(), accounts, configured, replacing }
    }

    /// Completes when spans were accepted since the last call.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(crate) fn take(&self) -> Vec<FinishedSpans> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let omitted = mem::take(&mut contents.omitted);
        let logs = omitted > 0 && !mem::replace(&mut contents.has_logged, true);
        contents.waiting = Waiting::default();
        let finished = mem::take(&mut contents.finished);
        drop(contents);
        if logs {
            warn!(
                omitted,
                "too many spans wait for an export; their roots, errors and slowest spans are kept; further omissions \
                 are counted, not logged"
            );
        }
        finished
    }
}

impl SpanSink for Outbox {
    fn accept(&self, mut work: FinishedSpans) {
        let (spans, destinations) = (work.spans.len() + work.omitted, work.destinations);
        let reason = if work.orphan { DropReason::Orphaned } else { DropReason::Overflowed };
        let is_forwarded = work.source.is_some();
        let sizes = work.spans.iter().map(size::in_memory);
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = contents.waiting;
        let all = sizes.fold(waiting, Waiting::plus);
        let omitted = work.omitted
            + if all.is_within(MAX) {
                waiting = all;
                0
            } else {
                reduce(&mut work.spans, |span| {
                    let more = waiting.plus(size::in_memory(span));
                    let fits = more.is_within(if is_essential(span) { MAX_ESSENTIAL } else { MAX });
                    if fits {
                        waiting = more;
                    }
                    fits
                })
            };
        contents.waiting = waiting;
        contents.omitted += omitted;
        if !work.spans.is_empty() {
            contents.finished.push(work);
        }
        drop(contents);
        for destination in self.configured.intersection(destinations).iter() {
            self.accounts.account(destination).entered(spans);
            self.accounts.dropped(destination, reason, SpanCount::new(omitted, is_forwarded));
        }
        self.arrived.notify_one();
    }

    fn reject_orphan(&self) {
        for destination in self.configured.iter() {
            let account = self.accounts.account(destination);
            account.entered(1);
            account.dropped(DropReason::Orphaned, 1);
        }
    }

    fn report_drops(&self, root: &mut SpanData, xray: XrayContext, sampling: &mut Decisions) {
        if *sampling == Decisions::EXCLUDE || !self.accounts.has_unreported_drops() {
            return;
        }
        let receivers = Destinations::default()
            .with(Destination::Otlp, self.configured.contains(Destination::Otlp))
            .with(Destination::SecondOtlp, self.configured.contains(Destination::SecondOtlp));
        let may_wait = if receivers.is_empty() {
            if !xray.sampled {
                return;
            }
            false
        } else {
            // With another rate, a receiver would multiply the numbers.
            *sampling != Decisions::KEEP
        };
        let drops = self.accounts.report_drops(root.end_time, may_wait);
        if !drops.is_empty() {
            root.attributes.extend(drops);
            *sampling = Decisions::KEEP;
        }
    }

    fn replacing(&self) -> Destinations {
        self.replacing
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use opentelemetry::trace::Status;

    use super::*;
    use crate::trace::accounting::Destination;
    use crate::trace::finished::tests::finished;
    use crate::trace::importance::omitted_below;
    use crate::trace::sampling::{Decision, Reason};
    use crate::trace::tree;

    fn span(id: u64, failed: bool) -> SpanData {
        let status = if failed { Status::error("") } else { Status::Unset };
        SpanData { status, ..tree::tests::span(id, if id == 1 { 0 } else { 1 }, 0) }
    }

    fn counts(outbox: &Outbox) -> (u64, u64) {
        let counts = outbox.accounts.account(Destination::Otlp).counts();
        (counts.carried, counts.dropped.overflowed)
    }

    #[test]
    fn root_and_errors_of_17000_spans_are_kept() {
        let outbox = Outbox::new(Accounts::default(), Destinations::ALL, Destinations::REPLACING);
        // The root ends last.
        outbox.accept(finished((1..=17_000).rev().map(|id| span(id, id % 100 == 0)).collect()));
        assert_eq!(counts(&outbox), (16_384, 616));
        let spans = outbox.take().remove(0).spans;
        assert_eq!(spans.len(), 16_384);
        assert_eq!(spans.iter().filter(|span| span.status != Status::Unset).count(), 170);
        assert_eq!(omitted_below(spans.last().unwrap()), 616);
    }

    #[test]
    fn full_outbox_accepts_roots_and_errors() {
        let outbox = Outbox::new(Accounts::default(), Destinations::ALL, Destinations::REPLACING);
        outbox.accept(finished((1..=16_384).map(|id| span(id, false)).collect()));
        outbox.accept(finished(vec![span(2, false), span(1, false), span(3, true)]));
        assert_eq!(counts(&outbox), (16_386, 1));
        assert_eq!(outbox.take().pop().unwrap().spans.len(), 2);
        outbox.accept(finished(vec![span(1, false), span(2, false)]));
        assert_eq!(outbox.take().pop().unwrap().spans.len(), 2);
    }

    /// Reports one dropped span on a root that ends at `seconds`. Returns the number of added attributes.
    fn reported(
        configured: Destination,
        sampled: bool,
        mut sampling: Decisions,
        seconds: &[u64],
    ) -> Vec<(usize, Decisions)> {
        let configured = Destinations::default().with(configured, true).with(Destination::Xray, true);
        let outbox = Outbox::new(Accounts::default(), configured, Destinations::REPLACING);
        let before = sampling;
        let results = seconds.iter().map(|seconds| {
            outbox.accounts.dropped(Destination::Xray, DropReason::Unsent, SpanCount::new(1, false));
            let mut root = span(1, false);
            root.end_time = UNIX_EPOCH + Duration::from_secs(*seconds);
            sampling = before;
            outbox.report_drops(&mut root, XrayContext { parent: None, sampled }, &mut sampling);
            (root.attributes.len(), sampling)
        });
        results.collect()
    }

    #[test]
    fn root_that_a_destination_gets_reports_drops() {
        let (keep, keep_one_in) = (Decisions::KEEP, Decision::Keep { rate: 5 });
        let one_in = Decisions { otlp: keep_one_in, second_otlp: keep_one_in };
        let left_out = Decision::SampleOut(Reason::Rate(5));
        let left_out = Decisions { otlp: left_out, second_otlp: left_out };
        assert_eq!(reported(Destination::Otlp, false, keep, &[1, 2]), [(1, keep), (1, keep)]);
        // Kept for the report, once a minute.
        assert_eq!(reported(Destination::Otlp, false, left_out, &[1, 2, 61]), [(1, keep), (0, left_out), (1, keep)]);
        assert_eq!(reported(Destination::Otlp, false, one_in, &[1, 2]), [(1, keep), (0, one_in)]);
        assert_eq!(reported(Destination::Otlp, true, Decisions::EXCLUDE, &[1]), [(0, Decisions::EXCLUDE)]);
        assert_eq!(reported(Destination::Xray, true, keep, &[1, 2]), [(1, keep), (1, keep)]);
        assert_eq!(reported(Destination::Xray, false, keep, &[1]), [(0, keep)]);
    }

    #[test]
    fn large_spans_are_bounded_in_bytes() {
        let outbox = Outbox::new(Accounts::default(), Destinations::ALL, Destinations::REPLACING);
        let large = |id| SpanData { name: "x".repeat(1024 * 1024).into(), ..span(id, false) };
        outbox.accept(finished((1..=40).map(large).collect()));
        assert_eq!(counts(&outbox), (31, 9));
    }
}
