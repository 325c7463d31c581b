//! A trace: its spans with both sides, and its log lines.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::ids::{SpanId, TraceId};
use super::span::{Log, Span};
use crate::clock::Nanos;

/// An estimate of the bytes of a trace without its spans.
const BASE: usize = 1024;
/// An estimate of the bytes of a span in the list and in the index.
const ENTRY: usize = size_of::<Sides>() + 32;

/// How a span arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Over OTLP/HTTP, as Honeycomb gets it.
    Otlp,
    /// As a document, or in OTLP over UDP, as X-Ray gets it.
    Xray,
}

/// One span with the sides that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    arrived: Arrived,
    /// Whether a side arrived more than once.
    pub(crate) is_repeated: bool,
}

#[derive(Clone, Debug)]
enum Arrived {
    Otlp(Arc<Span>),
    Xray(Arc<Span>),
    Both { otlp: Arc<Span>, xray: Arc<Span> },
}

impl Sides {
    fn new(span: Arc<Span>, side: Side) -> Self {
        let arrived = match side {
            Side::Otlp => Arrived::Otlp(span),
            Side::Xray => Arrived::Xray(span),
        };
        Self { arrived, is_repeated: false }
    }

    /// Returns the side in OTLP or, without one, that of X-Ray.
    pub(crate) fn main(&self) -> &Arc<Span> {
        match &self.arrived {
            Arrived::Otlp(span) | Arrived::Xray(span) | Arrived::Both { otlp: span, .. } => span,
        }
    }

    /// Returns the side in OTLP.
    pub(crate) fn otlp(&self) -> Option<&Arc<Span>> {
        match &self.arrived {
            Arrived::Otlp(span) | Arrived::Both { otlp: span, .. } => Some(span),
            Arrived::Xray(_) => None,
        }
    }

    /// Returns the side of X-Ray.
    pub(crate) fn xray(&self) -> Option<&Arc<Span>> {
        match &self.arrived {
            Arrived::Xray(span) | Arrived::Both { xray: span, .. } => Some(span),
            Arrived::Otlp(_) => None,
        }
    }

    /// Returns the end, if one side knows it.
    pub(crate) fn end(&self) -> Option<Nanos> {
        self.main().end.or_else(|| self.xray().and_then(|span| span.end))
    }

    /// Adds a side. A finished span replaces the same span in progress, and not the other way round. Returns the span
    /// that is not kept.
    fn add(&mut self, span: Arc<Span>, side: Side) -> Option<Arc<Span>> {
        let slot = match (&mut self.arrived, side) {
            (Arrived::Otlp(known) | Arrived::Both { otlp: known, .. }, Side::Otlp)
            | (Arrived::Xray(known) | Arrived::Both { xray: known, .. }, Side::Xray) => known,
            (Arrived::Otlp(otlp), Side::Xray) => {
                self.arrived = Arrived::Both { otlp: otlp.clone(), xray: span };
                return None;
            }
            (Arrived::Xray(xray), Side::Otlp) => {
                self.arrived = Arrived::Both { otlp: span, xray: xray.clone() };
                return None;
            }
        };
        match (slot.end, span.end) {
            (None, _) => Some(std::mem::replace(slot, span)),
            (Some(_), None) => Some(span),
            (Some(_), Some(_)) => {
                self.is_repeated = true;
                Some(span)
            }
        }
    }
}

/// A trace.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// The id.
    pub(crate) id: TraceId,
    /// The text of an X-Ray trace id that is not hexadecimal.
    pub(crate) invalid_id: Option<Box<str>>,
    /// When the first span arrived.
    pub(crate) received_at: Nanos,
    /// The position among all traces, by the arrival of the first span.
    pub(crate) sequence: u64,
    /// Whether it is never evicted.
    pub(crate) is_pinned: bool,
    /// The spans, in the order of their arrival.
    pub(crate) spans: Vec<Sides>,
    /// The log lines, in the order of their arrival.
    pub(crate) logs: Vec<Arc<Log>>,
    /// An estimate of the bytes that it needs.
    pub(crate) bytes: usize,
    index: HashMap<SpanId, u32>,
}

impl Trace {
    /// Returns an empty trace.
    pub(crate) fn new(id: TraceId, received_at: Nanos, sequence: u64) -> Self {
        Self {
            id,
            invalid_id: None,
            received_at,
            sequence,
            is_pinned: false,
            spans: Vec::new(),
            logs: Vec::new(),
            bytes: BASE,
            index: HashMap::new(),
        }
    }

    /// Adds a span.
    pub(crate) fn add(&mut self, span: Arc<Span>, side: Side) {
        let mut bytes = span.memory();
        // A sender sends its spans together.
        let last = || self.spans.iter().rev().take(4).map(Sides::main);
        if !last().any(|known| Arc::ptr_eq(&known.resource, &span.resource)) {
            bytes += span.resource.memory();
        }
        if !last().any(|known| Arc::ptr_eq(&known.scope, &span.scope)) {
            bytes += span.scope.memory();
        }
        if let Some(segment) = &span.segment
            && segment.position == 0
        {
            bytes += segment.document.raw.len() + size_of::<super::span::Document>();
            if self.invalid_id.is_none() {
                self.invalid_id.clone_from(&segment.document.invalid_trace_id);
            }
        }
        self.bytes += bytes;
        match self.index.entry(span.id) {
            Entry::Vacant(entry) => {
                entry.insert(u32::try_from(self.spans.len()).unwrap_or(u32::MAX));
                self.spans.push(Sides::new(span, side));
                self.bytes += ENTRY;
            }
            Entry::Occupied(entry) => {
                if let Some(known) = self.spans.get_mut(*entry.get() as usize)
                    && let Some(replaced) = known.add(span, side)
                {
                    self.bytes = self.bytes.saturating_sub(replaced.memory());
                }
            }
        }
    }

    /// Adds a log line.
    pub(crate) fn add_log(&mut self, log: Log) {
        self.bytes += log.memory();
        if !self.logs.last().is_some_and(|last| Arc::ptr_eq(&last.resource, &log.resource)) {
            self.bytes += log.resource.memory();
        }
        self.logs.push(Arc::new(log));
    }

    /// Returns the span with this id.
    pub(crate) fn span(&self, id: SpanId) -> Option<&Sides> {
        self.spans.get(*self.index.get(&id)? as usize)
    }

    /// Returns the position of the span with this id.
    pub(crate) fn position(&self, id: SpanId) -> Option<usize> {
        self.index.get(&id).map(|position| *position as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::tree::tests::span;

    fn trace() -> Trace {
        Trace::new(span(1, 0, 0, 1).trace, 0, 1)
    }

    /// Returns what is known of each span: whether each side arrived and has ended.
    fn known(trace: &Trace) -> Vec<(SpanId, Option<bool>, Option<bool>)> {
        let ended = |span: Option<&Arc<Span>>| span.map(|span| span.end.is_some());
        let of = |sides: &Sides| (sides.main().id, ended(sides.otlp()), ended(sides.xray()));
        let mut known: Vec<_> = trace.spans.iter().map(of).collect();
        known.sort_unstable();
        known
    }

    proptest! {
        #[test]
        fn order_of_arrival_does_not_matter(
            arrivals in proptest::collection::vec((1_u64..6, any::<bool>(), any::<bool>()), 1..20),
            seed in any::<u64>(),
        ) {
            let add = |trace: &mut Trace, (id, is_xray, has_ended): (u64, bool, bool)| {
                let side = if is_xray { Side::Xray } else { Side::Otlp };
                trace.add(Arc::new(Span { end: has_ended.then_some(1), ..span(id, 0, 0, 1) }), side);
            };
            let mut first = trace();
            arrivals.iter().for_each(|arrival| add(&mut first, *arrival));
            let mut shuffled = arrivals.clone();
            let length = shuffled.len();
            (0..length).for_each(|at| shuffled.swap(at, (seed as usize).wrapping_mul(at + 7) % length));
            let mut second = trace();
            shuffled.into_iter().for_each(|arrival| add(&mut second, arrival));
            prop_assert_eq!(known(&first), known(&second));
            for (id, is_xray, has_ended) in arrivals {
                let sides = first.span(span(id, 0, 0, 1).id).unwrap();
                let side = if is_xray { sides.xray() } else { sides.otlp() };
                prop_assert!(side.is_some_and(|side| side.end.is_some() || !has_ended));
            }
            let kept: usize = first
                .spans
                .iter()
                .flat_map(|sides| [sides.otlp(), sides.xray()])
                .flatten()
                .map(|span| span.memory())
                .sum();
            prop_assert!(first.bytes > kept);
        }
    }
}
