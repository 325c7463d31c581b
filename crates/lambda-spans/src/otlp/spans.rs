//! Adapts finished spans to OTLP receivers: ids, parents, reserved attribute keys, and the sample rate.

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, TraceState};
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::{AWS_XRAY_TRACE_ID, CLIENT_TRACE_ID, SAMPLE_RATE};
use crate::propagation::Caller;
use crate::propagation::trace_header::xray_form;
use crate::trace::finished::FinishedSpans;

/// Columns of Honeycomb that an attribute with the same key would overwrite.
const RESERVED: [&str; 4] = ["name", "error", "type", "duration_ms"];

/// Returns the spans for OTLP receivers. Lambda's own segment, the parent in X-Ray, never arrives there. The invocation
/// is the root, or a child of the caller whose trace is continued.
pub(crate) fn adapted(finished: FinishedSpans, rate: u64) -> Vec<SpanData> {
    let FinishedSpans { caller, mut spans, .. } = finished;
    for span in &mut spans {
        if let Some(caller) = &caller {
            continue_trace(span, caller);
        } else if span.parent_span_is_remote {
            span.parent_span_id = SpanId::INVALID;
            span.parent_span_is_remote = false;
        }
        span.attributes.retain(|attribute| !attribute.key.as_str().eq_ignore_ascii_case(SAMPLE_RATE));
        for attribute in &mut span.attributes {
            let key = attribute.key.as_str();
            if RESERVED.contains(&key) || key.starts_with("trace.") {
                attribute.key = format!("field.{key}").into();
            }
        }
        if rate > 1 {
            span.attributes.push(KeyValue::new(SAMPLE_RATE, i64::try_from(rate).unwrap_or(i64::MAX)));
        }
    }
    spans
}

/// Moves a span into the caller's trace. The root also records X-Ray's id of the trace.
fn continue_trace(span: &mut SpanData, caller: &Caller) {
    let context = &span.span_context;
    let (trace_id, flags) = (context.trace_id(), context.trace_flags());
    span.span_context = SpanContext::new(caller.trace_id, context.span_id(), flags, false, TraceState::NONE);
    if span.parent_span_is_remote {
        span.parent_span_id = caller.span_id;
        // The span's own trace id is the caller's.
        span.attributes.retain(|attribute| attribute.key.as_str() != CLIENT_TRACE_ID);
        span.attributes.push(KeyValue::new(AWS_XRAY_TRACE_ID, xray_form(trace_id)));
    }
}
