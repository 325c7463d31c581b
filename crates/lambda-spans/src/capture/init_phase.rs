//! The init phase, from the installation of tracing to the first poll, and the spans that ran in it.
//!
//! It belongs to the trace of the first invocation if that caller waited for it. Lambda also initializes environments
//! before any caller needs them; such an init phase is a separate trace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData, SpanEvents, SpanLinks};

use super::library_scope;
use crate::attributes::{AWS_LAMBDA_INITIALIZATION_TYPE, LAMBDA_SPANS_PROACTIVE_INIT};
use crate::clock::Moment;
use crate::trace::accounting::Accounts;
use crate::trace::finished::SpanSink;
use crate::trace::hook::SpanHook;
use crate::trace::inbound::Inbound;
use crate::trace::invocation::{Invocation, in_trace, new_trace_id};
use crate::trace::sampling::Sampler;

/// If the first event comes this long after the first poll, the caller did not wait for the init phase: Lambda has
/// initialized the environment in advance.
const PROACTIVE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct InitPhase {
    phase: Mutex<Phase>,
    hook: SpanHook,
}

#[derive(Debug)]
enum Phase {
    /// The process is starting, or is waiting for its first event.
    UnderWay(Box<UnderWay>),
    Over,
}

#[derive(Debug)]
struct UnderWay {
    /// Collects the spans until the trace is known.
    invocation: Invocation,
    root: SpanContext,
    start: Moment,
    polled: Option<Moment>,
}

/// How the environment of a first invocation was initialized.
#[derive(Debug)]
pub(crate) struct Initialized {
    /// The init span, if it is in a separate trace.
    pub(crate) proactively: Option<SpanContext>,
}

impl InitPhase {
    /// Starts the phase. A process outside of Lambda has no init phase, because no invocation would collect its spans.
    pub(crate) fn begin(sink: Arc<dyn SpanSink>, in_lambda: bool, hook: SpanHook) -> Self {
        if !in_lambda {
            return Self { phase: Mutex::new(Phase::Over), hook };
        }
        let trace_id = new_trace_id();
        let root = in_trace(trace_id, XrayIdGenerator::default().new_span_id());
        let invocation = Invocation::root(trace_id, String::new(), sink, Inbound::default());
        invocation.claim_root(root.span_id());
        let phase = Phase::UnderWay(Box::new(UnderWay { invocation, root, start: Moment::now(), polled: None }));
        Self { phase: Mutex::new(phase), hook }
    }

    /// Returns the parent for a span without an invocation while the phase lasts.
    pub(crate) fn under_way(&self) -> Option<Invocation> {
        match &*self.lock() {
            Phase::UnderWay(phase) => Some(phase.invocation.clone()),
            Phase::Over => None,
        }
    }

    /// Records that the function is about to poll for its first event.
    pub(crate) fn polled(&self) {
        if let Phase::UnderWay(phase) = &mut *self.lock() {
            phase.polled = Some(Moment::now());
        }
    }

    /// Restarts the phase in a copy of a SnapStart snapshot. Earlier spans ran once for all copies, at another time, so
    /// they belong to none of their traces.
    pub(crate) fn restored(&self) {
        if let Phase::UnderWay(phase) = &mut *self.lock() {
            phase.invocation.sample_out_finished();
            // Each copy has a separate trace.
            phase.root = in_trace(new_trace_id(), XrayIdGenerator::default().new_span_id());
            let copy = phase.invocation.separate(phase.root.trace_id(), true);
            copy.claim_root(phase.root.span_id());
            phase.invocation.hand_over(&copy);
            phase.invocation = copy;
            phase.start = Moment::now();
        }
    }

    /// Ends the phase: its spans become part of the first invocation's trace or a separate trace. Returns `None` for
    /// later invocations. `kind` is Lambda's initialization type.
    pub(crate) fn hand_over(
        &self,
        first: &Invocation,
        root: &SpanContext,
        kind: Option<&str>,
        accounts: &Accounts,
        sampler: &Sampler,
        now: Moment,
    ) -> Option<Initialized> {
        let Phase::UnderWay(phase) = std::mem::replace(&mut *self.lock(), Phase::Over) else { return None };
        let is_proactive = phase.polled.is_some_and(|polled| now.since(polled) >= PROACTIVE);
        let mut init = phase.span(kind, now);
        accounts.created(1);
        if !is_proactive {
            init.parent_span_id = root.span_id();
            init.span_context = in_trace(first.trace_id(), init.span_context.span_id());
            self.hook.apply(&mut init);
            phase.invocation.hand_over(first);
            first.record(init);
            return Some(Initialized { proactively: None });
        }
        init.links.links.push(Link::new(root.clone(), Vec::new(), 0));
        phase.become_trace(&first.separate(phase.root.trace_id(), first.xray().sampled), init, sampler, &self.hook);
        Some(Initialized { proactively: Some(phase.root) })
    }

    /// Ends the phase of a process that receives no event. Its spans become a trace over OTLP; X-Ray has not sampled it.
    pub(crate) fn abandon(&self, kind: Option<&str>, accounts: &Accounts, sampler: &Sampler, now: Moment) {
        let Phase::UnderWay(phase) = std::mem::replace(&mut *self.lock(), Phase::Over) else { return };
        let init = phase.span(kind, now);
        accounts.created(1);
        let own = phase.invocation.separate(phase.root.trace_id(), false);
        phase.become_trace(&own, init, sampler, &self.hook);
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// Makes the spans of the phase the trace `own`, with `init` as its root.
    fn become_trace(&self, own: &Invocation, mut init: SpanData, sampler: &Sampler, hook: &SpanHook) {
        own.claim_root(self.root.span_id());
        init.attributes.push(KeyValue::new(LAMBDA_SPANS_PROACTIVE_INIT, true));
        hook.apply(&mut init);
        self.invocation.hand_over(own);
        own.record(init);
        own.close(sampler);
    }

    fn span(&self, kind: Option<&str>, now: Moment) -> SpanData {
        let start_time = self.start.wall();
        SpanData {
            span_context: self.root.clone(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "init".into(),
            start_time,
            end_time: start_time + self.polled.unwrap_or(now).exactly_since(self.start),
            attributes: kind
                .map(|kind| KeyValue::new(AWS_LAMBDA_INITIALIZATION_TYPE, kind.to_owned()))
                .into_iter()
                .collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: library_scope(),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanBuilder, TraceContextExt as _, Tracer as _};

    use super::*;
    use crate::capture::limits::SpanLimits;
    use crate::capture::recorder::{Recorder, RecorderSettings};
    use crate::trace::exception::ExceptionMessages;
    use crate::trace::finished::FinishedSpans;
    use crate::trace::finished::tests::CollectingSink;
    use crate::trace::running::Running;
    use crate::trace::sampling::SamplingSettings;

    struct Started {
        sink: Arc<CollectingSink>,
        root: SpanContext,
        initialized: Initialized,
    }

    /// Polls for the first event, which arrives `later`. One span ends in the init phase, the other one after it.
    fn start(later: impl FnOnce(Moment) -> Moment) -> Started {
        let sink = Arc::<CollectingSink>::default();
        let (accounts, sampler) = (Accounts::default(), Arc::new(Sampler::new(&SamplingSettings::default())));
        let init = Arc::new(InitPhase::begin(sink.clone(), true, SpanHook::default()));
        let running = Arc::<Running>::default();
        let recorder = Recorder::new(
            accounts.clone(),
            sampler.clone(),
            init.clone(),
            running,
            sink.clone(),
            RecorderSettings {
                enabled: true,
                messages: ExceptionMessages::All,
                limits: SpanLimits::default(),
                hook: SpanHook::default(),
            },
        );
        let span = |name| recorder.build_with_context(SpanBuilder::from_name(name), &Context::new());
        let _connected = span("connect");
        drop(span("migrate"));
        let _listening = Context::new().with_span(span("listen"));
        init.polled();
        let first = Invocation::root(new_trace_id(), "first".to_owned(), sink.clone(), Inbound::default());
        let root = recorder.build_with_context(SpanBuilder::from_name("root"), &first.context());
        let root = Context::new().with_span(root);
        let (kind, now) = (Some("on-demand"), later(Moment::now()));
        let root_span = root.span().span_context().clone();
        let initialized = init.hand_over(&first, &root_span, kind, &accounts, &sampler, now).unwrap();
        assert!(init.hand_over(&first, &root_span, kind, &accounts, &sampler, now).is_none());
        root.span().end();
        first.close(&sampler);
        Started { sink, root: root_span, initialized }
    }

    /// Name and parent of each span by trace.
    fn traces(finished: Vec<FinishedSpans>) -> Vec<Vec<(String, SpanId)>> {
        let mut traces: Vec<(_, Vec<_>)> = Vec::new();
        for span in finished.into_iter().flat_map(|finished| finished.spans) {
            let (trace_id, place) = (span.span_context.trace_id(), (span.name.into_owned(), span.parent_span_id));
            match traces.iter_mut().find(|(id, _)| *id == trace_id) {
                Some((_, places)) => places.push(place),
                None => traces.push((trace_id, vec![place])),
            }
        }
        traces.into_iter().map(|(_, places)| places).collect()
    }

    #[test]
    fn init_joins_the_trace_of_the_caller_that_waited() {
        let Started { sink, root, initialized } = start(|now| now.after(PROACTIVE / 2));
        assert!(initialized.proactively.is_none());
        let [trace] = &traces(sink.take())[..] else { panic!("one trace") };
        let names: Vec<_> = trace.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["migrate", "init", "root", "listen", "connect"]);
        assert_eq!(trace[1].1, root.span_id());
    }

    #[test]
    fn proactive_init_is_a_linked_trace() {
        for later in [|now: Moment| now.after(PROACTIVE), |now: Moment| now.after_freeze(PROACTIVE)] {
            let Started { sink, root, initialized } = start(later);
            let finished = sink.take();
            let init = finished.iter().flat_map(|finished| &finished.spans).find(|span| span.name == "init").unwrap();
            assert_eq!(initialized.proactively.as_ref(), Some(&init.span_context));
            assert_eq!(init.links.links[0].span_context, root);
            let attributes = [
                KeyValue::new("aws.lambda.initialization_type", "on-demand"),
                KeyValue::new("lambda_spans.proactive_init", true),
            ];
            assert_eq!(init.attributes, attributes);
            assert!(init.end_time.duration_since(init.start_time).unwrap() < PROACTIVE);
            let [init_trace, request] = &traces(finished)[..] else { panic!("two traces") };
            let names = |trace: &[(String, SpanId)]| trace.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(init_trace), ["migrate", "init", "listen", "connect"]);
            assert_eq!(names(request), ["root"]);
        }
    }
}
