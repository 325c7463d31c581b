//! The OpenTelemetry tracer behind `tracing`: passes each ended span to the invocation in which it started.
//!
//! The SDK's own tracer passes spans to processors, which do not see the context of a span and cannot separate
//! concurrent invocations.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Event, Link, Span, SpanBuilder, SpanContext, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue, time};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData, SpanEvents, SpanLinks};

use super::init_phase::InitPhase;
use super::library_scope;
use super::limits::{self, SpanLimits};
use super::parent::{OpenOrphan, Parent, Parents};
use crate::attributes::{LAMBDA_SPANS_ORPHAN, OTEL_KIND};
use crate::clock::Moment;
use crate::trace::accounting::Accounts;
use crate::trace::exception::ExceptionMessages;
use crate::trace::finished::SpanSink;
use crate::trace::hook::{self, SpanHook};
use crate::trace::invocation::{Invocation, in_trace};
use crate::trace::lookup::Detached;
use crate::trace::open_span::OpenSpan;
use crate::trace::running::Running;
use crate::trace::sampling::Sampler;

/// The settings of the recorder.
#[derive(Clone, Debug)]
pub(crate) struct RecorderSettings {
    pub(crate) enabled: bool,
    pub(crate) messages: ExceptionMessages,
    pub(crate) limits: SpanLimits,
    pub(crate) hook: SpanHook,
}

/// Starts spans of one instrumentation scope.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    scope: InstrumentationScope,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ids: XrayIdGenerator,
    accounts: Accounts,
    parents: Parents,
    settings: RecorderSettings,
}

impl Recorder {
    pub(crate) fn new(
        accounts: Accounts,
        sampler: Arc<Sampler>,
        init: Arc<InitPhase>,
        running: Arc<Running>,
        sink: Arc<dyn SpanSink>,
        settings: RecorderSettings,
    ) -> Self {
        let parents = Parents::new(init, running, sink, sampler);
        let shared = Shared { ids: XrayIdGenerator::default(), accounts, parents, settings };
        Self { scope: library_scope(), shared: Arc::new(shared) }
    }
}

/// Gives the same tracer to libraries that use the OpenTelemetry API, each under its own scope.
impl TracerProvider for Recorder {
    type Tracer = Self;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Self {
        Self { scope, shared: self.shared.clone() }
    }
}

impl Tracer for Recorder {
    type Span = RecordedSpan;

    fn build_with_context(&self, builder: SpanBuilder, context: &Context) -> RecordedSpan {
        let RecorderSettings { enabled, messages, limits, hook } = &self.shared.settings;
        if !enabled || (hook.is_set() && hook::is_running()) {
            return RecordedSpan { context: SpanContext::NONE, open: None };
        }
        let id = self.shared.ids.new_span_id();
        self.shared.accounts.created(1);
        let Some(parent) = self.shared.parents.find(context, id) else {
            return RecordedSpan { context: SpanContext::NONE, open: None };
        };
        let now = Moment::now();
        let Parent { invocation, span: parent_span_id, is_root, link, is_detached, orphan } = parent;
        let is_orphan = orphan.is_some();
        let context = in_trace(invocation.trace_id(), id);
        let start_time = builder.start_time.unwrap_or_else(|| now.wall());
        let attributes = builder.attributes.unwrap_or_default();
        let mut events = SpanEvents::default();
        events.events = builder.events.unwrap_or_default();
        events.dropped_count = limits::cut(&mut events.events, limits.events);
        for event in &mut events.events {
            messages.apply(&event.name, &mut event.attributes);
            event.dropped_attributes_count += limits::cut_attributes(&mut event.attributes, limits.event_attributes);
        }
        let mut links = SpanLinks::default();
        links.links = builder.links.unwrap_or_default();
        links.links.extend(link.map(|link| Link::new(link, Vec::new(), 0)));
        links.dropped_count = limits::cut(&mut links.links, limits.links);
        for link in &mut links.links {
            link.dropped_attributes_count += limits::cut_attributes(&mut link.attributes, limits.link_attributes);
        }
        let data = SpanData {
            span_context: context.clone(),
            parent_span_id,
            parent_span_is_remote: is_root && !is_orphan,
            span_kind: builder.span_kind.unwrap_or(SpanKind::Internal),
            name: builder.name,
            start_time,
            end_time: start_time,
            attributes: Vec::with_capacity(attributes.len() + 8),
            dropped_attributes_count: 0,
            events,
            links,
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        };
        let span = Arc::new(OpenSpan::new(data, now, hook.clone()));
        invocation.add_open(id, parent_span_id, Arc::downgrade(&span));
        let detached = is_detached.then(|| Detached::new(id, &invocation));
        let open = Open { span, invocation, shared: self.shared.clone(), _detached: detached, _orphan: orphan };
        let mut span = RecordedSpan { context, open: Some(Box::new(open)) };
        span.set_attributes(attributes);
        if is_orphan {
            span.set_attribute(KeyValue::new(LAMBDA_SPANS_ORPHAN, true));
        }
        span
    }
}

/// Records data until the span ends.
#[derive(Debug)]
pub(crate) struct RecordedSpan {
    context: SpanContext,
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    span: Arc<OpenSpan>,
    invocation: Invocation,
    shared: Arc<Shared>,
    _detached: Option<Detached>,
    _orphan: Option<OpenOrphan>,
}

impl RecordedSpan {
    fn record(&mut self, change: impl FnOnce(&mut SpanData, &SpanLimits)) {
        if let Some(open) = &self.open
            && let Some(data) = open.span.lock().as_mut()
        {
            change(data, &open.shared.settings.limits);
        }
    }

    fn end_at(&mut self, end_time: SystemTime) {
        let Some(open) = self.open.take() else { return };
        let data = open.span.lock().take();
        if let Some(mut data) = data {
            data.end_time = open.span.end(data.start_time, end_time, Moment::now());
            open.span.apply_hook(&mut data);
            open.invocation.record(data);
        }
    }
}

impl Span for RecordedSpan {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, mut attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        let name = name.into();
        if let Some(open) = &self.open {
            open.shared.settings.messages.apply(&name, &mut attributes);
        }
        self.record(|data, limits| {
            if data.events.events.len() < limits.events {
                let dropped = limits::cut_attributes(&mut attributes, limits.event_attributes);
                data.events.events.push(Event::new(name, timestamp, attributes, dropped));
            } else {
                data.events.dropped_count += 1;
            }
        });
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.open.is_some()
    }

    /// Sets an attribute; a later value replaces an earlier one.
    fn set_attribute(&mut self, attribute: KeyValue) {
        self.record(|data, limits| {
            // The kind is known only after the span has started, but OpenTelemetry sets kinds at the start.
            if attribute.key.as_str() == OTEL_KIND {
                data.span_kind = kind_named(&attribute.value.as_str()).unwrap_or(data.span_kind.clone());
            } else if let Some(known) = data.attributes.iter_mut().find(|known| known.key == attribute.key) {
                known.value = attribute.value;
            } else if limits::accepts(data.attributes.len(), limits.attributes, &attribute) {
                data.attributes.push(attribute);
            } else {
                data.dropped_attributes_count += 1;
            }
        });
    }

    fn set_status(&mut self, status: Status) {
        self.record(|data, _| {
            // `Ok` overrides `Error`, which overrides `Unset`.
            if status > data.status {
                data.status = status;
            }
        });
    }

    fn update_name<T>(&mut self, name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.record(|data, _| data.name = name.into());
    }

    fn add_link(&mut self, context: SpanContext, mut attributes: Vec<KeyValue>) {
        self.record(|data, limits| {
            if data.links.links.len() < limits.links {
                let dropped = limits::cut_attributes(&mut attributes, limits.link_attributes);
                data.links.links.push(Link::new(context, attributes, dropped));
            } else {
                data.links.dropped_count += 1;
            }
        });
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.end_at(timestamp);
    }
}

impl Drop for RecordedSpan {
    fn drop(&mut self) {
        self.end_at(time::now());
    }
}

/// Returns the kind in the notation of `tracing-opentelemetry`, which ignores case.
fn kind_named(name: &str) -> Option<SpanKind> {
    let kinds = [
        ("client", SpanKind::Client),
        ("consumer", SpanKind::Consumer),
        ("internal", SpanKind::Internal),
        ("producer", SpanKind::Producer),
        ("server", SpanKind::Server),
    ];
    kinds.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry::trace::{SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};

    use super::*;
    use crate::trace::finished::tests::CollectingSink;
    use crate::trace::inbound::Inbound;
    use crate::trace::lookup;
    use crate::trace::running::InvocationRunning;
    use crate::trace::sampling::SamplingSettings;

    struct Process {
        sink: Arc<CollectingSink>,
        running: Arc<Running>,
        accounts: Accounts,
        sampler: Arc<Sampler>,
        recorder: Recorder,
    }

    /// A process whose init phase is over.
    fn process() -> Process {
        process_with(SpanLimits::default(), SpanHook::default())
    }

    fn process_with(limits: SpanLimits, hook: SpanHook) -> Process {
        let (sink, running) = (Arc::<CollectingSink>::default(), Arc::<Running>::default());
        let (accounts, sampler) = (Accounts::default(), Arc::new(Sampler::new(&SamplingSettings::default())));
        let init = Arc::new(InitPhase::begin(sink.clone(), false, SpanHook::default()));
        let recorder = Recorder::new(
            accounts.clone(),
            sampler.clone(),
            init,
            running.clone(),
            sink.clone(),
            RecorderSettings { enabled: true, messages: ExceptionMessages::All, limits, hook },
        );
        Process { sink, running, accounts, sampler, recorder }
    }

    impl Process {
        fn invocation(&self, trace_id: u128) -> (Invocation, InvocationRunning) {
            let invocation =
                Invocation::root(TraceId::from(trace_id), String::new(), self.sink.clone(), Inbound::default());
            let running = InvocationRunning::start(&self.running, &invocation);
            (invocation, running)
        }

        fn start(&self, name: &'static str, context: &Context) -> Context {
            context.with_span(self.recorder.build_with_context(SpanBuilder::from_name(name), context))
        }

        fn spans(&self) -> Vec<SpanData> {
            self.sink.take().into_iter().flat_map(|finished| finished.spans).collect()
        }
    }

    fn id(context: &Context) -> SpanId {
        context.span().span_context().span_id()
    }

    fn remote() -> SpanContext {
        SpanContext::new(TraceId::from(7), SpanId::from(7), TraceFlags::SAMPLED, true, TraceState::NONE)
    }

    #[test]
    fn remote_parent_of_the_program_becomes_a_link() {
        let process = process();
        let (invocation, _running) = process.invocation(1);
        let root = process.start("root", &invocation.context());
        let open = process.start("open", &root);
        let (below_open, below_root) = {
            let _guard = open.clone().attach();
            let asked = Context::current().with_remote_span_context(remote());
            (process.start("record", &asked), process.start("detached", &Context::new()))
        };
        let elsewhere = process.start("elsewhere", &Context::new().with_remote_span_context(remote()));
        for context in [&below_open, &below_root, &elsewhere, &open, &root] {
            context.span().end();
        }
        invocation.close(&process.sampler);
        let spans = process.spans();
        let places: Vec<_> = spans.iter().map(|span| (span.name.as_ref(), span.parent_span_id)).collect();
        let expected = [
            ("record", id(&open)),
            ("detached", id(&root)),
            ("elsewhere", id(&root)),
            ("open", id(&root)),
            ("root", SpanId::from(u64::MAX)),
        ];
        assert_eq!(places, expected);
        assert!(spans.iter().all(|span| span.span_context.trace_id() == TraceId::from(1)));
        assert!(spans.iter().all(|span| span.parent_span_is_remote == (span.name == "root")));
        let linked: Vec<_> = spans.iter().map(|span| span.links.links.len()).collect();
        assert_eq!(linked, [1, 0, 1, 0, 0]);
        assert_eq!(spans[0].links.links[0].span_context, remote());
    }

    #[test]
    fn span_outside_every_invocation_is_a_trace_with_children() {
        let process = process();
        let orphan = process.start("tick", &Context::new());
        let child = process.start("child", &orphan);
        assert_eq!(lookup::of(&child).map(|found| found.trace_id()), Some(orphan.span().span_context().trace_id()));
        child.span().end();
        // A child does not wait for the end of a long-lived root.
        assert_eq!(process.sink.waiting(), 1);
        orphan.span().end();
        let finished = process.sink.take();
        assert!(finished.iter().all(|finished| finished.orphan));
        let spans: Vec<_> = finished.iter().flat_map(|finished| &finished.spans).collect();
        let places: Vec<_> = spans.iter().map(|span| (span.name.as_ref(), span.parent_span_id)).collect();
        assert_eq!(places, [("child", id(&orphan)), ("tick", SpanId::INVALID)]);
        assert_eq!(spans[1].attributes, [KeyValue::new("lambda_spans.orphan", true)]);
        assert!(lookup::of(&orphan).is_none());
        assert_eq!(process.accounts.ledger().created, 2);
    }

    #[test]
    fn parent_of_another_sdk_becomes_a_link() {
        let process = process();
        let (invocation, _running) = process.invocation(1);
        let root = process.start("root", &invocation.context());
        let foreign = SpanContext::new(TraceId::from(7), SpanId::from(7), TraceFlags::SAMPLED, false, TraceState::NONE);
        let asked = root.with_remote_span_context(foreign.clone());
        process.start("query", &asked).span().end();
        let [query] = &invocation.take_finished()[..] else { panic!("one span") };
        assert_eq!((query.parent_span_id, &query.links.links[0].span_context), (id(&root), &foreign));
    }

    #[test]
    fn detached_span_is_an_orphan_while_several_invocations_run() {
        let process = process();
        let (first, running) = process.invocation(1);
        process.start("root", &first.context());
        let (_second, second_running) = process.invocation(2);
        process.start("between", &Context::new()).span().end();
        drop(second_running);
        process.start("alone", &Context::new()).span().end();
        drop(running);
        let orphans: Vec<_> = process.sink.take().into_iter().filter(|finished| finished.orphan).collect();
        let names: Vec<_> =
            orphans.iter().flat_map(|finished| &finished.spans).map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["between"]);
        let names: Vec<_> = first.take_finished().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["root", "alone"]);
    }

    #[test]
    fn orphans_that_never_end_are_bounded_and_counted() {
        let process = process();
        let open: Vec<_> = (0..1025).map(|_| process.start("leak", &Context::new())).collect();
        assert_eq!((process.accounts.ledger().created, process.sink.rejected_orphans()), (1025, 1));
        drop(open);
        assert_eq!(process.spans().len(), 1024);
        process.start("again", &Context::new()).span().end();
        assert_eq!(process.spans().len(), 1);
    }

    #[test]
    fn library_spans_keep_their_scope() {
        let process = process();
        let tracer = process.recorder.tracer("a library");
        drop(tracer.build(SpanBuilder::from_name("query")));
        assert_eq!(process.spans()[0].instrumentation_scope.name(), "a library");
    }

    fn numbered(count: i64) -> Vec<KeyValue> {
        (0..count).map(|n| KeyValue::new(format!("app.{n}"), n)).collect()
    }

    #[test]
    fn items_beyond_a_limit_are_counted() {
        let limits = SpanLimits { attributes: 3, events: 2, links: 1, event_attributes: 1, link_attributes: 2 };
        let process = process_with(limits, SpanHook::default());
        let context = Context::new();
        let event = Event::new("built", SystemTime::UNIX_EPOCH, numbered(3), 0);
        let link = Link::new(remote(), numbered(3), 0);
        let builder = SpanBuilder::from_name("limited")
            .with_attributes(numbered(5))
            .with_events(vec![event.clone(), event.clone(), event])
            .with_links(vec![link.clone(), link]);
        drop(process.recorder.build_with_context(builder, &context));
        let mut span = process.recorder.build_with_context(SpanBuilder::from_name("limited"), &context);
        for attribute in numbered(5) {
            span.set_attribute(attribute);
            span.add_event("later", numbered(3));
            span.add_link(remote(), numbered(3));
        }
        // Replacing a value needs no room.
        span.set_attribute(KeyValue::new("app.0", 9));
        drop(span);
        let spans = process.spans();
        let described: Vec<_> = spans
            .iter()
            .map(|span| {
                let attributes = (span.attributes.len(), span.dropped_attributes_count);
                let events = (span.events.len(), span.events.dropped_count, span.events[0].dropped_attributes_count);
                let links = &span.links;
                (attributes, events, (links.len(), links.dropped_count, links[0].dropped_attributes_count))
            })
            .collect();
        // Each is an orphan, which is an attribute of this library. It counts, but it is never dropped.
        assert_eq!(described, [((4, 2), (2, 1, 2), (1, 1, 1)), ((3, 3), (2, 3, 2), (1, 4, 1))]);
    }

    #[test]
    fn attributes_of_the_library_exceed_the_limit() {
        let limits = SpanLimits { attributes: 0, event_attributes: 0, ..SpanLimits::default() };
        let process = process_with(limits, SpanHook::default());
        let mut span = process.recorder.build_with_context(SpanBuilder::from_name("root"), &Context::new());
        span.set_attribute(KeyValue::new("http.route", "/"));
        span.set_attribute(KeyValue::new("error.type", "500"));
        span.set_attribute(KeyValue::new("tenant", "acme"));
        span.add_event("exception", vec![KeyValue::new("exception.type", "E"), KeyValue::new("tenant", "acme")]);
        drop(span);
        let span = process.spans().remove(0);
        let keys = |attributes: &[KeyValue]| attributes.iter().map(|known| known.key.to_string()).collect::<Vec<_>>();
        assert_eq!(keys(&span.attributes), ["lambda_spans.orphan", "http.route", "error.type"]);
        assert_eq!(
            (keys(&span.events[0].attributes), span.dropped_attributes_count),
            (vec!["exception.type".into()], 1)
        );
    }

    /// Records the names of the spans that it sees, and redacts one attribute.
    fn redacting() -> (SpanHook, Arc<std::sync::Mutex<Vec<String>>>) {
        let seen = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let names = seen.clone();
        let hook = SpanHook::default().and(move |span| {
            names.lock().unwrap().push(span.name().to_owned());
            span.retain_attributes(|key, value| {
                if key.as_str() == "user" {
                    *value = "redacted".into();
                }
                key.as_str() != "secret"
            });
        });
        (hook, seen)
    }

    #[test]
    fn hook_redacts_attributes_of_events_and_links() {
        let (hook, _) = redacting();
        let process = process_with(SpanLimits::default(), hook);
        let canary = || vec![KeyValue::new("secret", "canary"), KeyValue::new("user", "canary")];
        let mut span = process.recorder.build_with_context(SpanBuilder::from_name("x"), &Context::new());
        span.set_attributes(canary());
        span.add_event("event", canary());
        span.add_link(remote(), canary());
        drop(span);
        let span = process.spans().remove(0);
        let redacted = [KeyValue::new("user", "redacted")];
        assert_eq!(span.attributes[1..], redacted);
        assert_eq!((&span.events[0].attributes[..], &span.links[0].attributes[..]), (&redacted[..], &redacted[..]));
    }

    #[test]
    fn interrupted_spans_pass_through_the_hook() {
        let (hook, seen) = redacting();
        let process = process_with(SpanLimits::default(), hook);
        let (invocation, _running) = process.invocation(1);
        let root = process.start("root", &invocation.context());
        let open = process.start("open", &root);
        open.span().set_attribute(KeyValue::new("secret", "canary"));
        drop(process.start("ended", &root));
        let in_progress = invocation.interrupt(Moment::now());
        assert!(!format!("{in_progress:?} {:?}", process.spans()).contains("canary"));
        open.span().end();
        root.span().end();
        invocation.close(&process.sampler);
        assert!(!format!("{:?}", process.spans()).contains("canary"));
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        assert_eq!(seen, ["ended", "open", "open", "root", "root"]);
    }

    #[test]
    fn panic_of_the_hook_removes_all_attributes() {
        let hook = SpanHook::default().and(|_| std::panic::resume_unwind(Box::new("on request")));
        let process = process_with(SpanLimits::default(), hook);
        let mut span = process.recorder.build_with_context(SpanBuilder::from_name("x"), &Context::new());
        span.set_attribute(KeyValue::new("secret", "canary"));
        span.add_event("event", vec![KeyValue::new("secret", "canary")]);
        span.add_link(remote(), vec![KeyValue::new("secret", "canary")]);
        span.set_status(Status::error("canary"));
        drop(span);
        let span = process.spans().remove(0);
        assert!(!format!("{span:?}").contains("canary"));
        assert_eq!((span.name.as_ref(), span.status), ("x", Status::error("")));
        assert!(!hook::is_running());
    }

    #[test]
    fn span_of_the_hook_is_not_recorded() {
        let slot = Arc::<std::sync::OnceLock<Recorder>>::default();
        let recorder = slot.clone();
        let hook = SpanHook::default().and(move |span| {
            let recorder = recorder.get().unwrap();
            drop(recorder.build_with_context(SpanBuilder::from_name("inside"), &Context::new()));
            span.set_name("renamed");
        });
        let process = process_with(SpanLimits::default(), hook);
        slot.set(process.recorder.clone()).unwrap();
        drop(process.start("outside", &Context::new()));
        let names: Vec<_> = process.spans().into_iter().map(|span| span.name).collect();
        assert_eq!((names, process.accounts.ledger().created), (vec!["renamed".into()], 1));
    }

    #[test]
    fn log_line_of_the_hook_does_not_block_the_ending_span() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let hook = SpanHook::default().and(|_| tracing::error!(error = "of the hook"));
        let process = process_with(SpanLimits::default(), hook);
        let subscriber = tracing_subscriber::registry().with(crate::capture::error_events::ErrorEvents::default());
        tracing::subscriber::with_default(subscriber, || {
            let context = process.start("x", &Context::new());
            let _guard = context.clone().attach();
            // Locks the span, which is the current one.
            context.span().end();
        });
        assert_eq!(process.spans()[0].events.len(), 0);
    }

    #[test]
    fn clock_step_does_not_change_a_duration() {
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        let process = process();
        drop(process.start("template", &Context::new()));
        let mut data = process.spans().remove(0);
        let started = Moment::now();
        data.start_time = started.wall() - second;
        let (start, open) = (data.start_time, OpenSpan::new(data, started, SpanHook::default()));
        let ended = |now: Moment, ago: Duration| open.end(start, now.wall() - ago, now).duration_since(start).unwrap();
        assert_eq!(ended(started.after(second), Duration::ZERO), 2 * second);
        assert_eq!(ended(started.after(second).set_back(hour), Duration::ZERO), 2 * second);
        assert_eq!(ended(started.after(second).after_freeze(hour), Duration::ZERO), 2 * second);
        assert_eq!(ended(started.after(3 * second), second), 3 * second);
        assert_eq!(ended(started, hour), Duration::ZERO);
    }
}
