//! Spans of other programs, such as web pages, which reach the OTLP destinations through this process.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Event, SpanId, SpanKind, Status, TraceId};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::spans::Spans;
use crate::export::pipeline::Pipeline;
use crate::trace::accounting::Destinations;
use crate::trace::continuation::ContinuedSpans;
use crate::trace::finished::{FinishedSpans, Source, SpanSink as _, XrayContext};
use crate::trace::importance::is_error;
use crate::trace::invocation::in_trace;
use crate::trace::sampling::Verdict;

/// A span that another program has recorded. The program that forwards it must have validated it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ForwardedSpan {
    /// The trace. It is not changed, so it should have X-Ray's form ([`is_recent`](crate::is_recent)).
    pub trace_id: TraceId,
    /// The id.
    pub span_id: SpanId,
    /// The parent; `None` for the root of a trace.
    pub parent_span_id: Option<SpanId>,
    /// The name.
    pub name: Cow<'static, str>,
    /// The kind.
    pub kind: SpanKind,
    /// The start.
    pub start: SystemTime,
    /// The end.
    pub end: SystemTime,
    /// Whether its status is an error.
    pub failed: bool,
    /// The attributes.
    pub attributes: Vec<KeyValue>,
    /// The number of attributes that were left out.
    pub dropped_attributes: u32,
    /// The events. Receivers bill each of them.
    pub events: Vec<Event>,
}

impl ForwardedSpan {
    /// Creates an internal root span without attributes.
    #[must_use]
    pub fn new(
        trace_id: TraceId,
        span_id: SpanId,
        name: impl Into<Cow<'static, str>>,
        start: SystemTime,
        end: SystemTime,
    ) -> Self {
        Self {
            trace_id,
            span_id,
            parent_span_id: None,
            name: name.into(),
            kind: SpanKind::Internal,
            start,
            end,
            failed: false,
            attributes: Vec::new(),
            dropped_attributes: 0,
            events: Vec::new(),
        }
    }

    fn into_data(self) -> SpanData {
        let mut events = SpanEvents::default();
        events.events = self.events;
        SpanData {
            span_context: in_trace(self.trace_id, self.span_id),
            parent_span_id: self.parent_span_id.unwrap_or(SpanId::INVALID),
            // The parent belongs to the same program, or arrives as any other span.
            parent_span_is_remote: false,
            span_kind: self.kind,
            name: self.name,
            start_time: self.start,
            end_time: self.end,
            attributes: self.attributes,
            dropped_attributes_count: self.dropped_attributes,
            events,
            links: SpanLinks::default(),
            status: if self.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::default(),
        }
    }
}

/// Forwards spans of another program to the OTLP destinations. Clones share their counts.
#[derive(Clone)]
pub struct Forwarder {
    pipeline: Arc<Pipeline>,
    source: Arc<Source>,
    enabled: bool,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Forwarder").finish_non_exhaustive()
    }
}

impl Spans {
    /// Returns a forwarder for spans of a program with the name `service`, such as a web page that has no key for the OTLP
    /// receiver.
    ///
    /// Its spans are exported like those of this process: after the response, within the same budget and bounds, and
    /// counted in the [`ledger`](Self::ledger). They have their own resource, which contains the `service.name` and the
    /// `deployment.environment.name` of this process. X-Ray never gets them.
    #[must_use]
    pub fn forwarder(&self, service: &str) -> Forwarder {
        let source = Arc::new(Source { resource: self.pipeline.resource.of_other_service(service) });
        Forwarder { pipeline: self.pipeline.clone(), source, enabled: self.enabled }
    }
}

impl Forwarder {
    /// Passes spans to the next export. The sampling of OTLP applies: a trace is kept or left out together with the spans
    /// of this process. A trace with a failed span is kept.
    pub fn forward(&self, spans: Vec<ForwardedSpan>) {
        if !self.enabled {
            return;
        }
        self.pipeline.accounts.forwarded(spans.len(), 0);
        let mut traces = BTreeMap::<_, Vec<SpanData>>::new();
        for span in spans {
            traces.entry(span.trace_id.to_bytes()).or_default().push(span.into_data());
        }
        for (id, spans) in traces {
            let verdict = Verdict { failed: spans.iter().any(is_error), slow: false };
            self.pipeline.outbox.accept(FinishedSpans {
                xray: XrayContext { parent: None, sampled: false },
                sampling: self.pipeline.sampler.decide(TraceId::from_bytes(id), verdict),
                destinations: Destinations::ALL,
                caller: None,
                continued: ContinuedSpans::default(),
                orphan: false,
                source: Some(self.source.clone()),
                spans,
                omitted: 0,
            });
        }
    }

    /// Counts spans that the program has rejected.
    pub fn reject(&self, spans: usize) {
        if self.enabled {
            self.pipeline.accounts.forwarded(0, spans);
        }
    }
}
