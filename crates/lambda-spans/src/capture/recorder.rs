//! The OpenTelemetry tracer behind `tracing`: passes each ended span to the invocation in which it started.
//!
//! The SDK's own tracer passes spans to processors, which do not see the context of a span and cannot separate
//! concurrent invocations.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, time};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData, SpanEvents, SpanLinks};

use crate::attributes::OTEL_KIND;
use crate::capture::init_phase::InitPhase;
use crate::trace::accounting::Accounts;
use crate::trace::exception::ExceptionMessages;
use crate::trace::invocation::Invocation;
use crate::trace::open_span::OpenSpan;

/// The maximum number of attributes, events and links of one span, each: the OpenTelemetry default.
const LIMIT: usize = 128;

#[derive(Debug)]
pub(crate) struct Recorder {
    scope: InstrumentationScope,
    ids: XrayIdGenerator,
    accounts: Accounts,
    init: Arc<InitPhase>,
    messages: ExceptionMessages,
}

impl Recorder {
    pub(crate) fn new(accounts: Accounts, init: Arc<InitPhase>, messages: ExceptionMessages) -> Self {
        let scope = InstrumentationScope::builder("lambda-spans").with_version(env!("CARGO_PKG_VERSION")).build();
        Self { scope, ids: XrayIdGenerator::default(), accounts, init, messages }
    }
}

impl Tracer for Recorder {
    type Span = RecordedSpan;

    fn build_with_context(&self, builder: SpanBuilder, context: &Context) -> RecordedSpan {
        let mut parent = context.span().span_context().clone();
        let invocation = context.get::<Invocation>().cloned().or_else(|| {
            // Work before the first invocation belongs to the cold start.
            let (invocation, root) = self.init.under_way()?;
            if !parent.is_valid() {
                parent = root;
            }
            Some(invocation)
        });
        let Some(invocation) = invocation else {
            return RecordedSpan { context: SpanContext::NONE, open: None, messages: self.messages };
        };
        self.accounts.created(1);
        let context = SpanContext::new(
            invocation.trace_id(),
            self.ids.new_span_id(),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        let start_time = builder.start_time.unwrap_or_else(time::now);
        let attributes = builder.attributes.unwrap_or_default();
        let mut events = SpanEvents::default();
        events.events = builder.events.unwrap_or_default();
        events.events.iter_mut().for_each(|event| self.messages.apply(&event.name, &mut event.attributes));
        let mut links = SpanLinks::default();
        links.links = builder.links.unwrap_or_default();
        let data = SpanData {
            span_context: context.clone(),
            parent_span_id: parent.span_id(),
            parent_span_is_remote: parent.is_remote(),
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
        let open = Arc::new(OpenSpan::new(data));
        invocation.add_open(context.span_id(), Arc::downgrade(&open));
        let mut span = RecordedSpan { context, open: Some((open, invocation)), messages: self.messages };
        span.set_attributes(attributes);
        span
    }
}

/// Records data until the span ends. Outside of an invocation, it records nothing.
#[derive(Debug)]
pub(crate) struct RecordedSpan {
    context: SpanContext,
    open: Option<(Arc<OpenSpan>, Invocation)>,
    messages: ExceptionMessages,
}

impl RecordedSpan {
    fn record(&mut self, change: impl FnOnce(&mut SpanData)) {
        if let Some((open, _)) = &self.open
            && let Some(data) = open.lock().as_mut()
        {
            change(data);
        }
    }

    fn end_at(&mut self, end_time: SystemTime) {
        if let Some((open, invocation)) = self.open.take() {
            let data = open.lock().take();
            if let Some(mut data) = data {
                data.end_time = end_time;
                invocation.record(data);
            }
        }
    }
}

impl Span for RecordedSpan {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, mut attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        let name = name.into();
        self.messages.apply(&name, &mut attributes);
        self.record(|data| {
            if data.events.events.len() < LIMIT {
                data.events.events.push(Event::new(name, timestamp, attributes, 0));
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
        self.record(|data| {
            // The kind is known only after the span has started, but OpenTelemetry sets kinds at the start.
            if attribute.key.as_str() == OTEL_KIND {
                data.span_kind = SpanKind::Consumer;
            } else if let Some(known) = data.attributes.iter_mut().find(|known| known.key == attribute.key) {
                known.value = attribute.value;
            } else if data.attributes.len() < LIMIT {
                data.attributes.push(attribute);
            } else {
                data.dropped_attributes_count += 1;
            }
        });
    }

    fn set_status(&mut self, status: Status) {
        self.record(|data| {
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
        self.record(|data| data.name = name.into());
    }

    fn add_link(&mut self, context: SpanContext, attributes: Vec<KeyValue>) {
        self.record(|data| {
            if data.links.links.len() < LIMIT {
                data.links.links.push(Link::new(context, attributes, 0));
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
