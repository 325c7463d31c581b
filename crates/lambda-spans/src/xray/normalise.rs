//! A span as the X-Ray translator takes it without loss.
//!
//! The translator refuses whole spans for ordinary input: a route with braces as a name, a long URL, a root
//! without a parent, an exception on a span that did not fail. It also draws databases and remote nodes that
//! are none. So it gets a span of only that which it has the right place for; what is left is for the metadata.

mod aws;
mod http;
mod name;
mod sql;

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData, SpanEvents, SpanLinks};

use super::attributes::Attributes;
pub(super) use aws::Extras;
pub(super) use name::clean;

/// Bytes that X-Ray allows for a text of its own.
pub(super) const MAX_TEXT: usize = 250;

/// What a span is to X-Ray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A root under which X-Ray holds nothing yet: a node of the map by itself.
    Segment,
    /// The root under Lambda's own segment, and no node: Lambda's is drawn already.
    Invocation,
    /// A call of a service of AWS: draws its node.
    Aws,
    /// A query of an SQL database: draws its node.
    Sql,
    /// Another call: draws a remote node.
    Remote,
    /// What the process does by itself.
    Local,
}

/// A span in two parts: what the translator says of it, and the rest.
pub(super) struct Normal<'a> {
    pub(super) span: SpanData,
    pub(super) role: Role,
    pub(super) attributes: Attributes<'a>,
    pub(super) aws: Extras<'a>,
    /// The document's name does not come from the span's.
    pub(super) renamed: bool,
}

impl<'a> Normal<'a> {
    /// `parent` is the segment that X-Ray already holds for the root span.
    pub(super) fn of(span: &'a SpanData, parent: Option<SpanId>, service: &str) -> Self {
        let mut attributes = Attributes::of(span);
        let parent = parent_of(span, parent);
        let role = role(span, parent, &attributes);
        let name = name::of(role, span, &attributes, service);
        let mut said = Vec::with_capacity(8);
        http::say(role, &mut attributes, &mut said);
        if role == Role::Sql {
            sql::say(&mut attributes, &mut said);
        }
        let aws = aws::say(role, &mut attributes, &mut said);
        Self {
            span: translatable(span, parent, role, name.text, said),
            role,
            attributes,
            aws,
            renamed: name.is_of_another,
        }
    }

    /// Name, times and place in the trace, and nothing that could be refused.
    pub(super) fn bare(span: &SpanData, parent: Option<SpanId>, service: &str) -> SpanData {
        let Normal { span, .. } = Normal::of(span, parent, service);
        let name = if span.name.is_ascii() { span.name } else { name::ascii(&span.name) };
        SpanData { name, attributes: Vec::new(), ..span }
    }

    /// What failed is at the other end of a call.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.role, Role::Aws | Role::Sql | Role::Remote)
    }
}

fn is_root(span: &SpanData) -> bool {
    span.parent_span_is_remote || span.parent_span_id == SpanId::INVALID
}

fn parent_of(span: &SpanData, parent: Option<SpanId>) -> Option<SpanId> {
    if is_root(span) { parent.filter(|parent| *parent != SpanId::INVALID) } else { Some(span.parent_span_id) }
}

fn role(span: &SpanData, parent: Option<SpanId>, attributes: &Attributes<'_>) -> Role {
    if parent.is_none() {
        Role::Segment
    } else if is_root(span) {
        Role::Invocation
    } else if aws::is_call(attributes) {
        Role::Aws
    } else if matches!(span.span_kind, SpanKind::Client | SpanKind::Producer) {
        if sql::is_query(attributes) { Role::Sql } else { Role::Remote }
    } else {
        Role::Local
    }
}

fn translatable(
    span: &SpanData,
    parent: Option<SpanId>,
    role: Role,
    name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
) -> SpanData {
    // A clock that was set back, or a process that slept through a change of it.
    let start_time = span.start_time.max(UNIX_EPOCH);
    let end_time = span.end_time.max(start_time);
    SpanData {
        span_context: valid(&span.span_context),
        parent_span_id: parent.unwrap_or(SpanId::INVALID),
        parent_span_is_remote: false,
        // To the translator a server is a segment, and a client draws a remote node.
        span_kind: match role {
            Role::Segment => SpanKind::Server,
            Role::Sql | Role::Remote => SpanKind::Client,
            Role::Invocation | Role::Aws | Role::Local => SpanKind::Internal,
        },
        name,
        start_time,
        end_time,
        attributes,
        dropped_attributes_count: 0,
        // What failed is written beside: here, an exception on a span that did not fail would lose the span.
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

/// X-Ray takes no id of zeros, and the translator no span that has one.
fn valid(context: &SpanContext) -> SpanContext {
    let ids = XrayIdGenerator::default();
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    SpanContext::new(
        if trace_id == TraceId::INVALID { ids.new_trace_id() } else { trace_id },
        if span_id == SpanId::INVALID { ids.new_span_id() } else { span_id },
        context.trace_flags(),
        false,
        TraceState::NONE,
    )
}
