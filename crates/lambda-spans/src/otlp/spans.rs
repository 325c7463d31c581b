//! Adapts finished spans to OTLP receivers: ids, parents, reserved attribute keys, the length of values, and the sample
//! rate.

use std::collections::HashSet;

use opentelemetry::trace::{Link, SpanContext, SpanId, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::SpanData;

use super::reserved;
use crate::attributes::{AWS_XRAY_TRACE_ID, CLIENT_TRACE_ID, SAMPLE_RATE};
use crate::propagation::Caller;
use crate::propagation::trace_header::xray_form;
use crate::trace::continuation::{Continuation, ContinuedSpans};
use crate::trace::finished::FinishedSpans;
use crate::trace::size;

/// Returns the spans for OTLP receivers. Lambda's own segment, the parent in X-Ray, never arrives there. The invocation
/// is the root, or a child of the caller whose trace is continued. Longer string values than `value_length` bytes are
/// cut.
pub(crate) fn adapted(finished: FinishedSpans, rate: u64, value_length: usize) -> Vec<SpanData> {
    let FinishedSpans { caller, mut spans, continued, .. } = finished;
    move_continued(&mut spans, &continued);
    for span in &mut spans {
        if continued.contains_key(&span.span_context.span_id()) {
            // It is in the trace of its sender.
        } else if let Some(caller) = &caller {
            continue_trace(span, caller);
        } else if span.parent_span_is_remote {
            span.parent_span_id = SpanId::INVALID;
            span.parent_span_is_remote = false;
        }
        let events = span.events.events.iter_mut().map(|event| &mut event.attributes);
        let links = span.links.links.iter_mut().map(|link| &mut link.attributes);
        for attributes in std::iter::once(&mut span.attributes).chain(events).chain(links) {
            reserved::guard(attributes);
            attributes.iter_mut().for_each(|attribute| size::cut(&mut attribute.value, value_length));
        }
        guard_scope(span);
        if rate > 1 {
            span.attributes.push(KeyValue::new(SAMPLE_RATE, i64::try_from(rate).unwrap_or(i64::MAX)));
        }
    }
    spans
}

/// Receivers may merge the attributes of a library's scope into its spans.
fn guard_scope(span: &mut SpanData) {
    let scope = &span.instrumentation_scope;
    if scope.attributes().next().is_none() {
        return;
    }
    let mut attributes: Vec<KeyValue> = scope.attributes().cloned().collect();
    reserved::guard(&mut attributes);
    let mut guarded = InstrumentationScope::builder(scope.name().to_owned()).with_attributes(attributes);
    if let Some(version) = scope.version() {
        guarded = guarded.with_version(version.to_owned());
    }
    if let Some(url) = scope.schema_url() {
        guarded = guarded.with_schema_url(url.to_owned());
    }
    span.instrumentation_scope = guarded.build();
}

/// Moves a span into the caller's trace. The root also records X-Ray's id of the trace.
fn continue_trace(span: &mut SpanData, caller: &Caller) {
    if span.parent_span_is_remote {
        become_child_of(span, caller.trace_id, caller.span_id);
    } else {
        move_to(span, caller.trace_id);
    }
}

/// Moves spans into the traces of their senders. The topmost span of each links to the root of the invocation, so that
/// both traces are connected.
fn move_continued(spans: &mut [SpanData], continued: &ContinuedSpans) {
    if continued.is_empty() {
        return;
    }
    let ids: HashSet<SpanId> = spans.iter().map(|span| span.span_context.span_id()).collect();
    for span in spans {
        let id = span.span_context.span_id();
        let Some(continuation) = continued.get(&id) else { continue };
        let Continuation { sender, root, top } = &**continuation;
        // If the spans in between were omitted, the parent is in the trace of the invocation.
        let parent = span.parent_span_id;
        let is_outside = ids.contains(&parent) && !continued.get(&parent).is_some_and(|above| above.top == *top);
        if id == *top || is_outside {
            become_child_of(span, sender.trace_id(), sender.span_id());
            span.links.links.push(Link::new(root.clone(), Vec::new(), 0));
        } else {
            move_to(span, sender.trace_id());
        }
    }
}

/// Moves a span below a span of another process. The span also records X-Ray's id of the trace if it is another one.
fn become_child_of(span: &mut SpanData, trace_id: TraceId, parent: SpanId) {
    let own = span.span_context.trace_id();
    move_to(span, trace_id);
    span.parent_span_id = parent;
    span.parent_span_is_remote = true;
    // A span needs no link to its parent.
    span.links.links.retain(|link| (link.span_context.trace_id(), link.span_context.span_id()) != (trace_id, parent));
    // The span's own trace id is the caller's.
    span.attributes.retain(|attribute| attribute.key.as_str() != CLIENT_TRACE_ID);
    if own != trace_id {
        span.attributes.push(KeyValue::new(AWS_XRAY_TRACE_ID, xray_form(own)));
    }
}

fn move_to(span: &mut SpanData, trace_id: TraceId) {
    let (id, flags) = (span.span_context.span_id(), span.span_context.trace_flags());
    span.span_context = SpanContext::new(trace_id, id, flags, false, TraceState::NONE);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::trace::TraceFlags;

    use super::*;

    #[test]
    fn attributes_of_a_scope_are_guarded() {
        let mut span = crate::trace::tree::tests::span(1, 0, 1);
        let scope = InstrumentationScope::builder("a library")
            .with_version("1")
            .with_attributes([KeyValue::new("sampleRate", 50), KeyValue::new("team", "feed")]);
        span.instrumentation_scope = scope.build();
        guard_scope(&mut span);
        let keys: Vec<_> = span.instrumentation_scope.attributes().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["field.sampleRate", "team"]);
        assert_eq!(span.instrumentation_scope.version(), Some("1"));
    }

    #[test]
    fn span_below_an_omitted_record_is_below_its_sender() {
        let span = |id, parent| crate::trace::tree::tests::span(id, parent, 1);
        let context = |trace_id: u64, id| {
            SpanContext::new(
                TraceId::from(u128::from(trace_id)),
                SpanId::from(id),
                TraceFlags::SAMPLED,
                true,
                TraceState::NONE,
            )
        };
        let continuation = Arc::new(Continuation { sender: context(7, 70), root: context(8, 1), top: SpanId::from(2) });
        let continued: ContinuedSpans = [2, 3, 4, 5].map(|id| (SpanId::from(id), continuation.clone())).into();
        // The record 2 and the span 3 were omitted, so 4 became a child of the root.
        let mut spans = [span(1, 0), span(4, 1), span(5, 4), span(6, 1), span(3, 2)];
        move_continued(&mut spans, &continued);
        let trace_id = |span: &SpanData| span.span_context.trace_id();
        let moved: Vec<_> =
            spans.iter().map(|span| (trace_id(span) == TraceId::from(7), span.parent_span_id)).collect();
        let expected = [(false, 0), (true, 70), (true, 4), (false, 1), (true, 2)];
        assert_eq!(moved, expected.map(|(moved, parent)| (moved, SpanId::from(parent))));
        assert_eq!(spans[1].links.links[0].span_context, context(8, 1));
    }
}
