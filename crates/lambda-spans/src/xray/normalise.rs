//! A span as the X-Ray translator takes it without loss.
//!
//! The translator refuses whole spans for ordinary input: a route with braces as a name, a long URL, a root
//! without a parent, an exception on a span that did not fail. It also draws a remote node from an address.

mod attributes;

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::{SpanData, SpanEvents};

/// Bytes that the translator allows for the name of a segment; a subsegment may have 250.
const MAX_NAME: usize = 200;
const EXCEPTION: &str = "exception";

/// `span` as X-Ray gets it; `parent` is the segment that X-Ray already holds for the root span.
pub(super) fn for_xray(span: &SpanData, parent: Option<SpanId>) -> SpanData {
    let mut copy = span.clone();
    place(&mut copy, parent);
    copy.name = Cow::Owned(name(&span.name));
    copy.end_time = copy.end_time.max(copy.start_time);
    copy.attributes = attributes::for_xray(span);
    state_failure(&mut copy);
    copy
}

/// Name, times and place in the trace, and nothing that could be refused.
pub(super) fn bare(span: &SpanData) -> SpanData {
    let mut bare = span.clone();
    bare.attributes = vec![KeyValue::new("lambda_spans.truncated", true)];
    bare.events = SpanEvents::default();
    bare.status = Status::Unset;
    bare
}

/// In Lambda the root span is a subsegment of Lambda's own segment: a server span would be drawn as a second
/// function. Elsewhere it is a segment by itself, and everything below it a subsegment.
fn place(span: &mut SpanData, parent: Option<SpanId>) {
    if span.parent_span_is_remote {
        span.parent_span_id = parent.unwrap_or(SpanId::INVALID);
        span.span_kind = if parent.is_some() { SpanKind::Internal } else { SpanKind::Server };
    } else if span.span_kind == SpanKind::Server {
        span.span_kind = SpanKind::Internal;
    }
}

/// X-Ray takes letters, numbers, blanks and `_.:/%&#=+-@`. A route's `{id}` becomes `:id`.
pub(super) fn name(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    for character in name.chars() {
        let character = match character {
            '{' => ':',
            '}' => continue,
            ' ' | '_' | '.' | ':' | '/' | '%' | '&' | '#' | '=' | '+' | '-' | '@' => character,
            // Letters and numbers beyond ASCII are allowed, but not all that Unicode counts as such.
            other if other.is_ascii_alphanumeric() => other,
            _ => '_',
        };
        if clean.len() + character.len_utf8() > MAX_NAME {
            break;
        }
        clean.push(character);
    }
    if clean.is_empty() { "unnamed".to_owned() } else { clean }
}

/// Makes the failure flags and the cause agree with what happened.
fn state_failure(span: &mut SpanData) {
    let status_code = span.attributes.iter().find(|attribute| attribute.key.as_str() == "http.response.status_code");
    let status_code = status_code
        .and_then(|attribute| if let opentelemetry::Value::I64(code) = attribute.value { Some(code) } else { None });
    let failed = matches!(span.status, Status::Error { .. });
    if !failed {
        if status_code.is_some_and(|code| (400..600).contains(&code)) {
            // No error of the server's in OpenTelemetry, but one that X-Ray flags as the client's.
            span.status = Status::error("");
        }
        // An exception on a span that did not fail was handled; as a cause it would lose the span.
        for event in &mut span.events.events {
            if event.name == EXCEPTION {
                event.name = "exception.handled".into();
            }
        }
        return;
    }
    if !span.events.iter().any(|event| event.name == EXCEPTION) {
        let description = match &span.status {
            Status::Error { description } => description.to_string(),
            Status::Ok | Status::Unset => String::new(),
        };
        let error_type = span.attributes.iter().find(|attribute| attribute.key.as_str() == "error.type");
        let error_type = error_type.map_or_else(|| "error".to_owned(), |attribute| attribute.value.to_string());
        let message = if description.is_empty() { error_type.clone() } else { description };
        span.events.events.push(Event::new(
            EXCEPTION,
            span.end_time,
            vec![KeyValue::new("exception.type", error_type), KeyValue::new("exception.message", message)],
            0,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_keeps_its_parameters_in_a_name_that_x_ray_takes() {
        assert_eq!(name("GET /api/activities/{activity_uuid}"), "GET /api/activities/:activity_uuid");
        assert_eq!(name("what? (a) [b] `c` \"d\", é"), "what_ _a_ _b_ _c_ _d__ _");
        assert_eq!(name(""), "unnamed");
        assert_eq!(name(&"x".repeat(300)).len(), 200);
    }
}
