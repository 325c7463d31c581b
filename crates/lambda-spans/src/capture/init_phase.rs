//! The init phase, from the installation of tracing to the first poll, and the spans that ran in it.
//!
//! It belongs to the trace of the first invocation, because that caller waited for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, time};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData, SpanEvents, SpanLinks};

use crate::attributes::AWS_LAMBDA_INITIALIZATION_TYPE;
use crate::trace::finished::SpanSink;
use crate::trace::inbound::Inbound;
use crate::trace::invocation::{Invocation, new_trace_id};

#[derive(Debug)]
pub(crate) struct InitPhase(Mutex<Phase>);

#[derive(Debug)]
enum Phase {
    /// The process is starting, or is waiting for its first event.
    UnderWay(Box<UnderWay>),
    Over,
}

#[derive(Debug)]
struct UnderWay {
    /// Collects the spans. The first invocation supplies the trace id.
    invocation: Invocation,
    root: SpanContext,
    start: SystemTime,
    polled: Option<SystemTime>,
}

impl InitPhase {
    /// Starts the phase. A process outside of Lambda has no init phase, because no invocation would collect its spans.
    pub(crate) fn begin(sink: Arc<dyn SpanSink>, in_lambda: bool) -> Self {
        if !in_lambda {
            return Self(Mutex::new(Phase::Over));
        }
        let ids = XrayIdGenerator::default();
        let trace_id = new_trace_id();
        let root = SpanContext::new(trace_id, ids.new_span_id(), TraceFlags::SAMPLED, false, TraceState::NONE);
        let invocation = Invocation::root(trace_id, String::new(), sink, Inbound::default());
        Self(Mutex::new(Phase::UnderWay(Box::new(UnderWay { invocation, root, start: time::now(), polled: None }))))
    }

    /// Returns the parent for a span without an invocation while the phase lasts.
    pub(crate) fn under_way(&self) -> Option<(Invocation, SpanContext)> {
        match &*self.lock() {
            Phase::UnderWay(phase) => Some((phase.invocation.clone(), phase.root.clone())),
            Phase::Over => None,
        }
    }

    /// Records that the function is about to poll for its first event.
    pub(crate) fn polled(&self) {
        if let Phase::UnderWay(phase) = &mut *self.lock() {
            phase.polled = Some(time::now());
        }
    }

    /// Restarts the phase in a copy of a SnapStart snapshot. Earlier spans ran once for all copies, at another time, so
    /// they belong to none of their traces.
    pub(crate) fn restored(&self) {
        if let Phase::UnderWay(phase) = &mut *self.lock() {
            phase.invocation.sample_out_finished();
            phase.start = time::now();
        }
    }

    /// Ends the phase. The first caller receives its spans as children of `root`, the first invocation's span.
    pub(crate) fn hand_over(&self, root: &SpanContext, kind: Option<&str>) -> Vec<SpanData> {
        let Phase::UnderWay(phase) = std::mem::replace(&mut *self.lock(), Phase::Over) else { return Vec::new() };
        let mut spans = phase.invocation.take_finished();
        spans.push(phase.span(kind));
        for span in &mut spans {
            span.span_context = in_trace_of(root, span.span_context.span_id());
            if span.parent_span_id == SpanId::INVALID {
                span.parent_span_id = root.span_id();
            }
        }
        spans
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    fn span(&self, kind: Option<&str>) -> SpanData {
        SpanData {
            span_context: self.root.clone(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "init".into(),
            start_time: self.start,
            end_time: self.polled.unwrap_or_else(time::now),
            attributes: kind
                .map(|kind| KeyValue::new(AWS_LAMBDA_INITIALIZATION_TYPE, kind.to_owned()))
                .into_iter()
                .collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("lambda-spans").build(),
        }
    }
}

fn in_trace_of(root: &SpanContext, span_id: SpanId) -> SpanContext {
    SpanContext::new(root.trace_id(), span_id, TraceFlags::SAMPLED, false, TraceState::NONE)
}
