//! Spans for X-Ray in OTLP: over UDP to the daemon, and for X-Ray's own endpoint. X-Ray stores their events and links.

mod datagram;
mod shrink;

pub(super) use datagram::OtlpDatagrams;

use opentelemetry::trace::SpanId;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

use super::annotations::AnnotationKeys;
use crate::attributes::{AWS_XRAY_ANNOTATIONS, LAMBDA_SPANS_LEFT_OUT, LAMBDA_SPANS_SAMPLE_RATE};
use crate::trace::accounting::Destinations;
use crate::trace::finished::FinishedSpans;
use crate::trace::size;
use crate::trace::tree::is_root;

/// X-Ray's limit for one span at its OTLP endpoint is 200 KB.
const MAX_SPAN: usize = 190_000;
/// X-Ray's limit for the annotations of a trace.
const MAX_ANNOTATIONS: usize = 50;

/// The rules of X-Ray for spans in OTLP.
#[derive(Debug)]
pub(crate) struct OtlpForm {
    annotated: AnnotationKeys,
    /// The maximum size of an encoded span.
    max_span: usize,
}

impl OtlpForm {
    /// Returns the rules of X-Ray's OTLP endpoint. `annotations` are keys and prefixes of keys.
    pub(crate) fn new(annotations: Vec<String>) -> Self {
        Self { annotated: AnnotationKeys::new(annotations), max_span: MAX_SPAN }
    }

    /// Returns the spans for X-Ray. Lambda's own segment is the parent of the root, and the trace id is Lambda's. The root
    /// says why none of the other `receivers` gets the trace.
    pub(crate) fn adapted(&self, finished: FinishedSpans, receivers: Destinations) -> Vec<SpanData> {
        let left_out = finished.left_out(receivers);
        let FinishedSpans { xray, mut spans, .. } = finished;
        let mut annotations = MAX_ANNOTATIONS;
        for span in &mut spans {
            if let Some(reason) = left_out.filter(|_| is_root(span)) {
                span.attributes.push(KeyValue::new(LAMBDA_SPANS_LEFT_OUT, reason.name()));
                let rate = reason.rate().map(|rate| KeyValue::new(LAMBDA_SPANS_SAMPLE_RATE, rate));
                span.attributes.extend(rate);
            }
            if span.parent_span_is_remote {
                span.parent_span_id = xray.parent.unwrap_or(SpanId::INVALID);
                span.parent_span_is_remote = xray.parent.is_some();
            }
            self.annotate(span, &mut annotations);
            // The approximation is too low for a span with many small attributes.
            if size::encoded(span) > self.max_span / 2 {
                shrink::to_size(span, self.max_span);
            }
        }
        spans
    }

    /// Lists the attributes that X-Ray indexes for search.
    fn annotate(&self, span: &mut SpanData, left: &mut usize) {
        let selected = span.attributes.iter().filter(|attribute| self.annotated.selects(attribute));
        let keys: Vec<_> = selected.take(*left).map(|attribute| StringValue::from(attribute.key.to_string())).collect();
        if !keys.is_empty() {
            *left -= keys.len();
            span.attributes.push(KeyValue::new(AWS_XRAY_ANNOTATIONS, Value::Array(Array::String(keys))));
        }
    }
}
