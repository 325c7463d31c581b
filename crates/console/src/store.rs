//! Traces in memory, bounded by bytes. Whole traces are evicted, the oldest first.

mod kept;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::clock::{Clock, Nanos};
use crate::model::ids::{SpanId, TraceId};
use crate::model::span::{Log, Span};
use crate::model::trace::{Side, Trace};
pub(crate) use kept::Kept;

/// How many evicted traces are remembered by their id.
const MAX_REMEMBERED: usize = 10_000;
/// An estimate of the bytes of a trace in the store's maps.
const ENTRY: usize = 128;
/// An estimate of the bytes of a link in the index.
const LINK: usize = 96;
/// The number of changes that a slow subscriber may be behind.
const CHANGES: usize = 4096;

/// A change that subscribers learn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Spans or log lines of the trace arrived, or it was pinned.
    Trace(TraceId),
    /// Traces were evicted; the total since the start.
    Evicted(u64),
    /// A trace was deleted.
    Deleted(TraceId),
    /// All traces were deleted.
    Cleared,
}

/// A link of a span of another trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IncomingLink {
    /// The trace of the span with the link.
    pub(crate) trace: TraceId,
    /// The span with the link.
    pub(crate) span: SpanId,
    /// The span that it links to.
    pub(crate) target: SpanId,
}

/// Why a trace is not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It was evicted or deleted then.
    Evicted(Nanos),
    /// Its id contains a time before the start of the console.
    BeforeStart,
    /// No span of it arrived.
    NeverReceived,
}

/// The state of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The number of traces.
    pub(crate) traces: usize,
    /// The number of spans.
    pub(crate) spans: usize,
    /// An estimate of the memory in bytes.
    pub(crate) bytes: usize,
    /// How many traces were evicted since the start.
    pub(crate) evicted: u64,
}

/// What arrives together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Spans.
    pub(crate) spans: Vec<(Arc<Span>, Side)>,
    /// Log lines.
    pub(crate) logs: Vec<Log>,
}

/// The traces that are kept.
#[derive(Debug)]
pub(crate) struct Store {
    contents: Mutex<Contents>,
    changes: broadcast::Sender<Change>,
    clock: Clock,
    started_at: Nanos,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Contents {
    traces: HashMap<TraceId, Arc<Kept>>,
    /// By the arrival of their first span.
    order: BTreeMap<u64, TraceId>,
    next: u64,
    spans: usize,
    bytes: usize,
    evicted: u64,
    gone: HashMap<TraceId, Nanos>,
    gone_order: VecDeque<TraceId>,
    /// The links of kept spans, by the trace that they link to.
    links: HashMap<TraceId, Vec<IncomingLink>>,
}

impl Store {
    /// Returns an empty store that keeps at most `max_bytes`.
    pub(crate) fn new(max_bytes: usize, clock: Clock) -> Self {
        let started_at = clock.now();
        Self { contents: Mutex::default(), changes: broadcast::channel(CHANGES).0, clock, started_at, max_bytes }
    }

    /// Returns the limit in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns when the store was created.
    pub(crate) fn started_at(&self) -> Nanos {
        self.started_at
    }

    /// Returns a receiver of all later changes.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Adds spans and log lines, and evicts the oldest traces if the limit is exceeded. Returns how many spans were
    /// refused because their trace alone would exceed half of the limit.
    pub(crate) fn add(&self, batch: Batch) -> usize {
        let now = self.clock.now();
        let mut refused = 0;
        let mut changed: Vec<TraceId> = Vec::new();
        let mut contents = self.contents();
        let evicted = contents.evicted;
        let mut touch = |id: TraceId| {
            if changed.last() != Some(&id) {
                changed.push(id);
            }
        };
        for (span, side) in batch.spans {
            let id = span.trace;
            let links: Vec<_> = span.links.iter().map(|link| (link.trace, link.span)).collect();
            let source = span.id;
            if contents.change(id, now, self.max_bytes, |trace| trace.add(span, side)) {
                touch(id);
                for (target_trace, target) in links {
                    contents.link(target_trace, IncomingLink { trace: id, span: source, target });
                }
            } else {
                refused += 1;
            }
        }
        for log in batch.logs {
            let id = log.trace;
            if contents.change(id, now, self.max_bytes, |trace| trace.add_log(log)) {
                touch(id);
            } else {
                refused += 1;
            }
        }
        contents.evict(self.max_bytes, now);
        let evicted = (contents.evicted != evicted).then_some(contents.evicted);
        drop(contents);
        if self.changes.receiver_count() > 0 {
            changed.into_iter().map(Change::Trace).for_each(|change| self.notify(change));
            evicted.map(Change::Evicted).into_iter().for_each(|change| self.notify(change));
        }
        refused
    }

    /// Returns a trace.
    pub(crate) fn get(&self, id: TraceId) -> Option<Arc<Kept>> {
        self.contents().traces.get(&id).cloned()
    }

    /// Returns all traces, the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Kept>> {
        let contents = self.contents();
        contents.order.values().rev().filter_map(|id| contents.traces.get(id).cloned()).collect()
    }

    /// Returns why a trace is not kept.
    pub(crate) fn absent(&self, id: TraceId) -> Absent {
        if let Some(when) = self.contents().gone.get(&id) {
            return Absent::Evicted(*when);
        }
        // A random id has a random time. X-Ray rejects ids older than 30 days.
        const MONTH: Nanos = 30 * 24 * 3600 * 1_000_000_000;
        let epoch = id.epoch();
        if epoch < self.started_at && epoch > self.started_at.saturating_sub(MONTH) {
            Absent::BeforeStart
        } else {
            Absent::NeverReceived
        }
    }

    /// Returns the links from spans of other traces.
    pub(crate) fn incoming_links(&self, id: TraceId) -> Vec<IncomingLink> {
        let contents = self.contents();
        let links = contents.links.get(&id).into_iter().flatten();
        links.filter(|link| link.trace != id).copied().collect()
    }

    /// Returns whether a span is kept.
    pub(crate) fn contains(&self, trace: TraceId, span: SpanId) -> bool {
        self.contents().traces.get(&trace).is_some_and(|trace| trace.span(span).is_some())
    }

    /// Returns the counts.
    pub(crate) fn totals(&self) -> Totals {
        let contents = self.contents();
        Totals {
            traces: contents.traces.len(),
            spans: contents.spans,
            bytes: contents.bytes,
            evicted: contents.evicted,
        }
    }

    /// Deletes a trace. Returns whether it was kept.
    pub(crate) fn delete(&self, id: TraceId) -> bool {
        let now = self.clock.now();
        let deleted = self.contents().remove(id, now);
        if deleted {
            self.notify(Change::Deleted(id));
        }
        deleted
    }

    /// Deletes all traces, also pinned ones.
    pub(crate) fn clear(&self) {
        let now = self.clock.now();
        let mut contents = self.contents();
        let ids: Vec<_> = contents.order.values().copied().collect();
        for id in ids {
            contents.remove(id, now);
        }
        drop(contents);
        self.notify(Change::Cleared);
    }

    /// Pins a trace, which is then never evicted, or unpins it. Returns `None` if it is not kept, and `Some(false)` if
    /// the pinned traces would take more than half of the limit.
    pub(crate) fn pin(&self, id: TraceId, is_pinned: bool) -> Option<bool> {
        let mut contents = self.contents();
        let bytes = contents.traces.get(&id)?.bytes;
        let pinned: usize = contents.pinned().map(|trace| trace.bytes).sum();
        if is_pinned && pinned + bytes > self.max_bytes / 2 {
            return Some(false);
        }
        Arc::make_mut(contents.traces.get_mut(&id)?).is_pinned = is_pinned;
        drop(contents);
        self.notify(Change::Trace(id));
        Some(true)
    }

    fn notify(&self, change: Change) {
        // Without subscribers, the change is of no interest.
        self.changes.send(change).ok();
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Changes a trace, which is created if it is missing. Returns false if the trace is too large for more.
    fn change(&mut self, id: TraceId, now: Nanos, max_bytes: usize, change: impl FnOnce(&mut Trace)) -> bool {
        let next = &mut self.next;
        let (order, bytes) = (&mut self.order, &mut self.bytes);
        let trace = self.traces.entry(id).or_insert_with(|| {
            *next += 1;
            order.insert(*next, id);
            let trace = Trace::new(id, now, *next);
            *bytes += trace.bytes + ENTRY;
            Arc::new(Kept::new(trace))
        });
        if trace.bytes > max_bytes / 2 {
            return false;
        }
        let trace = Arc::make_mut(trace);
        let before = (trace.bytes, trace.spans.len());
        change(trace);
        self.bytes = self.bytes + trace.bytes - before.0;
        self.spans = self.spans + trace.spans.len() - before.1;
        true
    }

    fn link(&mut self, target: TraceId, link: IncomingLink) {
        let links = self.links.entry(target).or_default();
        if !links.contains(&link) && links.len() < 10_000 {
            links.push(link);
            self.bytes += LINK;
        }
    }

    fn pinned(&self) -> impl Iterator<Item = &Arc<Kept>> {
        self.order.values().filter_map(|id| self.traces.get(id)).filter(|trace| trace.is_pinned)
    }

    fn evict(&mut self, max_bytes: usize, now: Nanos) {
        while self.bytes > max_bytes {
            let unpinned = self.order.values().find(|id| self.traces.get(*id).is_some_and(|trace| !trace.is_pinned));
            // Pinned traces may have grown beyond the limit.
            let Some(oldest) = unpinned.or_else(|| self.order.values().next()).copied() else { return };
            self.remove(oldest, now);
            self.evicted += 1;
        }
    }

    fn remove(&mut self, id: TraceId, now: Nanos) -> bool {
        let Some(trace) = self.traces.remove(&id) else { return false };
        self.order.remove(&trace.sequence);
        self.spans -= trace.spans.len();
        self.bytes = self.bytes.saturating_sub(trace.bytes + ENTRY);
        for sides in &trace.spans {
            for link in [sides.otlp(), sides.xray()].into_iter().flatten().flat_map(|span| span.links.iter()) {
                if let Some(links) = self.links.get_mut(&link.trace) {
                    let before = links.len();
                    links.retain(|known| known.trace != id);
                    self.bytes = self.bytes.saturating_sub((before - links.len()) * LINK);
                    if links.is_empty() {
                        self.links.remove(&link.trace);
                    }
                }
            }
        }
        if self.gone.insert(id, now).is_none() {
            self.gone_order.push_back(id);
        }
        if self.gone_order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::tree::tests::span;
    use crate::model::span::Link;

    const MAX: usize = 20_000;

    fn trace_id(number: u8) -> TraceId {
        TraceId::from_bytes(&(u128::from(number) + 1).to_be_bytes()).unwrap()
    }

    /// Recomputes the totals.
    fn counted(contents: &Contents) -> (usize, usize) {
        let bytes: usize = contents.traces.values().map(|trace| trace.bytes + ENTRY).sum();
        let links: usize = contents.links.values().map(Vec::len).sum();
        (bytes + links * LINK, contents.traces.values().map(|trace| trace.spans.len()).sum())
    }

    #[derive(Clone, Debug)]
    enum Action {
        Add { trace: u8, span: u64, link: u8, length: usize },
        Delete(u8),
        Pin(u8, bool),
        Clear,
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            8 => (0_u8..12, 1_u64..50, 0_u8..12, 0_usize..3000)
                .prop_map(|(trace, span, link, length)| Action::Add { trace, span, link, length }),
            1 => (0_u8..12).prop_map(Action::Delete),
            1 => (0_u8..12, any::<bool>()).prop_map(|(trace, is_pinned)| Action::Pin(trace, is_pinned)),
            1 => Just(Action::Clear),
        ]
    }

    proptest! {
        #[test]
        fn totals_are_exact_and_bounded(actions in proptest::collection::vec(action(), 1..80)) {
            let store = Store::new(MAX, Clock::new(|| 7));
            for action in actions {
                match action {
                    Action::Add { trace, span: id, link, length } => {
                        let link = Link {
                            trace: trace_id(link),
                            span: span(1, 0, 0, 1).id,
                            attributes: Box::default(),
                            trace_state: Box::default(),
                            dropped: 0,
                            flags: 0,
                        };
                        let span = Span {
                            trace: trace_id(trace),
                            links: Box::new([link]),
                            status_message: "x".repeat(length).into(),
                            ..span(id, 0, 0, 1)
                        };
                        store.add(Batch { spans: vec![(Arc::new(span), Side::Otlp)], logs: Vec::new() });
                    }
                    Action::Delete(trace) => {
                        store.delete(trace_id(trace));
                    }
                    Action::Pin(trace, is_pinned) => {
                        store.pin(trace_id(trace), is_pinned);
                    }
                    Action::Clear => store.clear(),
                }
                let totals = store.totals();
                let contents = store.contents();
                prop_assert_eq!(counted(&contents), (totals.bytes, totals.spans));
                prop_assert_eq!(contents.order.len(), totals.traces);
                prop_assert!(totals.bytes <= MAX);
            }
        }
    }
}
