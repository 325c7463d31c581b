//! The size of spans, in memory and encoded for OTLP, and the shortening of their texts.

use std::mem;

use opentelemetry::trace::{Event, Link};
use opentelemetry::{Array, KeyValue, StringValue, Value};
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
/// The same for an element of a list.
const ELEMENT_OVERHEAD: usize = 4;
/// The largest size of a number.
const NUMBER: usize = 10;

/// Returns the approximate size of a span in an OTLP request.
pub(crate) fn encoded(span: &SpanData) -> usize {
    let events = span.events.iter().flat_map(|event| &event.attributes);
    let links = span.links.iter().flat_map(|link| &link.attributes);
    let attributes = span.attributes.iter().chain(events).chain(links);
    let attributes: usize =
        attributes.map(|attribute| attribute.key.as_str().len() + encoded_value(&attribute.value)).sum();
    SPAN_OVERHEAD + span.name.len() + attributes + (span.events.len() + span.links.links.len()) * SPAN_OVERHEAD
}

/// Returns the approximate size of a value in an OTLP request.
fn encoded_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| ELEMENT_OVERHEAD + text.as_str().len()).sum(),
        Value::Array(Array::Bool(values)) => ELEMENT_OVERHEAD * values.len(),
        Value::Array(Array::I64(values)) => (ELEMENT_OVERHEAD + NUMBER) * values.len(),
        Value::Array(Array::F64(values)) => (ELEMENT_OVERHEAD + NUMBER) * values.len(),
        // Both enums are non-exhaustive.
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Array(_) | _ => NUMBER,
    }
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

/// Returns at most the first `length` bytes of `text` without splitting a character.
pub(crate) fn beginning(text: &str, length: usize) -> &str {
    text.split_at(text.floor_char_boundary(length)).0
}

/// Cuts texts of more than `length` bytes, also in lists, at the end of a character.
pub(crate) fn cut(value: &mut Value, length: usize) {
    match value {
        Value::String(text) => cut_text(text, length),
        Value::Array(Array::String(texts)) => texts.iter_mut().for_each(|text| cut_text(text, length)),
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Array(_) | _ => {}
    }
}

fn cut_text(text: &mut StringValue, length: usize) {
    if text.as_str().len() > length {
        *text = beginning(text.as_str(), length).to_owned().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_strings_are_cut_at_the_end_of_a_character() {
        let cut = |mut value: Value, length| {
            super::cut(&mut value, length);
            value
        };
        assert_eq!(cut("aä".into(), 3), Value::from("aä"));
        assert_eq!(cut("aää".into(), 4), Value::from("aä"));
        assert_eq!(cut("ä".into(), 1), Value::from(""));
        let list = |texts: &[&'static str]| {
            Value::Array(Array::String(texts.iter().map(|text| StringValue::from(*text)).collect()))
        };
        assert_eq!(cut(list(&["abc", "d"]), 2), list(&["ab", "d"]));
        assert_eq!(cut(5.into(), 0), Value::from(5));
    }
}
