//! The size of spans: in memory, and encoded for OTLP.

use std::mem;

use opentelemetry::trace::{Event, Link};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// Returns the approximate size of a span in memory.
pub(crate) fn in_memory(span: &SpanData) -> usize {
    let inner = |attributes: &[KeyValue]| -> usize {
        attributes.iter().map(|attribute| mem::size_of::<KeyValue>() + text(&attribute.value)).sum()
    };
    let events: usize = span.events.iter().map(|event| mem::size_of::<Event>() + inner(&event.attributes)).sum();
    let links: usize = span.links.iter().map(|link| mem::size_of::<Link>() + inner(&link.attributes)).sum();
    mem::size_of::<SpanData>() + span.name.len() + inner(&span.attributes) + events + links
}

/// What an encoded span contains besides its texts: ids, times, keys of the protocol.
const SPAN_OVERHEAD: usize = 96;

/// Returns the approximate size of a span in an OTLP request.
pub(crate) fn encoded(span: &SpanData) -> usize {
    let text = |value: &Value| if let Value::String(text) = value { text.as_str().len() } else { value.as_str().len() };
    let events = span.events.iter().flat_map(|event| &event.attributes);
    let links = span.links.iter().flat_map(|link| &link.attributes);
    let attributes = span.attributes.iter().chain(events).chain(links);
    let attributes: usize = attributes.map(|attribute| attribute.key.as_str().len() + text(&attribute.value)).sum();
    SPAN_OVERHEAD + span.name.len() + attributes + (span.events.len() + span.links.links.len()) * SPAN_OVERHEAD
}

/// Returns the bytes of a value outside of the value's own memory.
fn text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => {
            texts.iter().map(|text| mem::size_of_val(text) + text.as_str().len()).sum()
        }
        Value::Array(Array::Bool(values)) => values.len(),
        Value::Array(Array::I64(values)) => mem::size_of_val(values.as_slice()),
        Value::Array(Array::F64(values)) => mem::size_of_val(values.as_slice()),
        // Both enums are non-exhaustive.
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Array(_) | _ => 0,
    }
}
