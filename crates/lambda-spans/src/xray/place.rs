//! A span's position: in the trace, in time, and on X-Ray's map.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData};

use super::json::Members;
use super::role::{Form, Role};
use super::span_attributes::SpanAttributes;
use super::{aws_block, name, sql_block};
use crate::trace::tree::is_root;

pub(super) struct Place<'a> {
    pub(super) role: Role,
    pub(super) name: Cow<'a, str>,
    /// Whether the document's name differs from the span's.
    pub(super) is_renamed: bool,
    parent: Option<SpanId>,
}

impl<'a> Place<'a> {
    /// `parent` is the segment that X-Ray already has for the root span.
    pub(super) fn new(
        span: &'a SpanData,
        parent: Option<SpanId>,
        attributes: &SpanAttributes<'a>,
        service: &'a str,
    ) -> Self {
        let parent = parent_of(span, parent);
        let role = role(span, parent, attributes);
        let another = name::not_of_span(role, attributes, service);
        // An AWS call has its operation in the `aws` block.
        let is_renamed = role != Role::Aws && another.as_ref().is_some_and(|another| *another != span.name);
        let name = match another.unwrap_or(Cow::Borrowed(&span.name)) {
            Cow::Borrowed(name) => name::clean(name),
            Cow::Owned(name) => Cow::Owned(name::clean(&name).into_owned()),
        };
        Self { role, name, is_renamed, parent }
    }

    pub(super) fn write(&self, document: &mut Members<'_>, span: &SpanData, form: Form, origin: Option<&str>) {
        document.text("name", &self.name, usize::MAX);
        let (trace_id, span_id) = valid(span);
        document.hex("id", &span_id.to_bytes());
        // A nested document inherits the trace and the parent.
        if form != Form::Inside {
            document.trace_id("trace_id", trace_id);
            if let Some(parent) = self.parent {
                write_parent(document, parent);
            } else if let Some(origin) = origin {
                document.word("origin", origin);
            }
        }
        // The clock may have been set back.
        let start = span.start_time.max(UNIX_EPOCH);
        document.time("start_time", start);
        match form {
            Form::Finished | Form::Inside => document.time("end_time", span.end_time.max(start)),
            Form::Open => document.bool_true("in_progress"),
        }
        if let Some(namespace) = self.role.namespace() {
            document.word("namespace", namespace);
        }
    }
}

/// Appends a nested span as a separate document: the fields that a nested document inherits, and `nested`, its JSON
/// object.
pub(super) fn write_outermost(out: &mut Vec<u8>, span: &SpanData, parent: SpanId, nested: &[u8]) {
    out.push(b'{');
    let mut document = Members::new(out);
    document.trace_id("trace_id", valid(span).0);
    write_parent(&mut document, parent);
    out.push(b',');
    out.extend_from_slice(nested.strip_prefix(b"{").unwrap_or_default());
}

fn write_parent(document: &mut Members<'_>, parent: SpanId) {
    document.word("type", "subsegment");
    document.hex("parent_id", &parent.to_bytes());
}

fn role(span: &SpanData, parent: Option<SpanId>, attributes: &SpanAttributes<'_>) -> Role {
    if parent.is_none() {
        Role::Segment
    } else if is_root(span) {
        Role::Invocation
    } else if aws_block::is_call(attributes) {
        Role::Aws
    } else if matches!(span.span_kind, SpanKind::Client | SpanKind::Producer) {
        if sql_block::is_query(attributes) { Role::Sql } else { Role::Remote }
    } else {
        Role::Local
    }
}

fn parent_of(span: &SpanData, parent: Option<SpanId>) -> Option<SpanId> {
    if is_root(span) { parent.filter(|parent| *parent != SpanId::INVALID) } else { Some(span.parent_span_id) }
}

/// X-Ray rejects ids that consist of zeros.
fn valid(span: &SpanData) -> (TraceId, SpanId) {
    let (trace_id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
    (
        if trace_id == TraceId::INVALID { XrayIdGenerator::default().new_trace_id() } else { trace_id },
        if span_id == SpanId::INVALID { XrayIdGenerator::default().new_span_id() } else { span_id },
    )
}
