//! Reduces a span that is too large for X-Ray: long texts are cut, then events, links and attributes are omitted.

use opentelemetry::KeyValue;
use opentelemetry::trace::Status;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

use crate::attributes::LAMBDA_SPANS_TRUNCATED;
use crate::capture::limits;
use crate::trace::size;

/// The longest text that each step keeps, in bytes.
const TEXT_LENGTHS: [usize; 4] = [16 * 1024, 4096, 1024, 256];
/// The number of attributes that each of the last steps keeps. With none of them, every span is small enough.
const ATTRIBUTES: [usize; 3] = [64, 16, 0];

/// Reduces `span` until it has at most `max` bytes in OTLP, and marks it if something was omitted.
pub(super) fn to_size(span: &mut SpanData, max: usize) {
    // The mark needs room, too.
    let mark = KeyValue::new(LAMBDA_SPANS_TRUNCATED, true);
    let fits = |span: &SpanData| {
        let mut marked = span.clone();
        marked.attributes.push(mark.clone());
        Span::from(marked).encoded_len() <= max
    };
    if fits(span) {
        return;
    }
    if !TEXT_LENGTHS.into_iter().any(|length| {
        cut(span, length);
        fits(span)
    }) {
        span.events.dropped_count = span.events.dropped_count.saturating_add(limits::cut(&mut span.events.events, 0));
        span.links.dropped_count = span.links.dropped_count.saturating_add(limits::cut(&mut span.links.links, 0));
        for kept in ATTRIBUTES {
            if fits(span) {
                break;
            }
            let omitted = limits::cut(&mut span.attributes, kept);
            span.dropped_attributes_count = span.dropped_attributes_count.saturating_add(omitted);
        }
    }
    span.attributes.push(mark);
}

fn cut(span: &mut SpanData, length: usize) {
    let name = &span.name;
    if name.len() > length {
        span.name = size::beginning(name, length).to_owned().into();
    }
    if let Status::Error { description } = &mut span.status
        && description.len() > length
    {
        *description = size::beginning(description, length).to_owned().into();
    }
    let events = span.events.events.iter_mut().map(|event| &mut event.attributes);
    let links = span.links.links.iter_mut().map(|link| &mut link.attributes);
    let attributes = std::iter::once(&mut span.attributes).chain(events).chain(links).flatten();
    attributes.for_each(|attribute| size::cut(&mut attribute.value, length));
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Event;

    use super::*;
    use crate::trace::tree::tests::span;

    const MAX: usize = 40_000;

    fn encoded_len(span: &SpanData) -> usize {
        Span::from(span.clone()).encoded_len()
    }

    #[test]
    fn small_span_is_unchanged() {
        let mut small = SpanData { attributes: vec![KeyValue::new("a", "b".repeat(30_000))], ..span(1, 0, 1) };
        let before = small.clone();
        to_size(&mut small, MAX);
        assert_eq!(small, before);
    }

    #[test]
    fn long_texts_are_cut_before_anything_is_omitted() {
        let mut large = span(1, 0, 1);
        large.attributes = vec![KeyValue::new("long", "ä".repeat(50_000)), KeyValue::new("short", 1)];
        large.events.events.push(Event::new("e", large.start_time, vec![KeyValue::new("x", "y".repeat(50_000))], 0));
        to_size(&mut large, MAX);
        assert!(encoded_len(&large) <= MAX);
        let keys: Vec<_> = large.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["long", "short", "lambda_spans.truncated"]);
        assert_eq!((large.events.len(), large.attributes[0].value.as_str().len()), (1, 16 * 1024));
    }

    #[test]
    fn events_and_attributes_are_omitted_and_counted() {
        let mut large = span(1, 0, 1);
        large.name = "n".repeat(100_000).into();
        large.status = Status::error("s".repeat(100_000));
        large.attributes = (0..1000).map(|n| KeyValue::new("k".repeat(100) + &n.to_string(), n)).collect();
        for _ in 0..1000 {
            large.events.events.push(Event::new(
                "an event",
                large.start_time,
                vec![KeyValue::new("x", "y".repeat(300))],
                0,
            ));
        }
        to_size(&mut large, MAX);
        assert!(encoded_len(&large) <= MAX);
        assert_eq!((large.events.len(), large.events.dropped_count), (0, 1000));
        assert_eq!((large.attributes.len(), large.dropped_attributes_count), (65, 936));
    }
}
