//! One span in OTLP's JSON form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_spans::opentelemetry::trace::{Event, SpanId, SpanKind, TraceId};
use lambda_spans::{ForwardedSpan, is_recent};
use serde_json::{Map, Value};

use super::attributes::{Attributes, EXCEPTION_TYPE, without_query};

/// The maximum length of a name, in bytes.
const MAX_NAME: usize = 128;
/// The maximum age of a span when it starts.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// The clock of a browser may be this much ahead.
const MAX_AHEAD: Duration = Duration::from_secs(300);
const MAX_DURATION: Duration = Duration::from_secs(600);
/// Receivers bill each event. A span that fails has one exception.
const MAX_EVENTS: usize = 1;

const EXCEPTION: &str = "exception";
const CLIENT: u64 = 3;
const ERROR: u64 = 2;

/// Returns the span, or `None` if its ids, times or name are invalid. Attributes and events that are not allowed are left
/// out.
pub(super) fn parse(span: &Map<String, Value>, now: SystemTime) -> Option<ForwardedSpan> {
    let trace_id = TraceId::from_bytes(id(span.get("traceId")?)?);
    let span_id = SpanId::from_bytes(id(span.get("spanId")?)?);
    let parent = match span.get("parentSpanId") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(parent) => Some(SpanId::from_bytes(id(parent)?)),
    };
    let (start, end) = (time(span.get("startTimeUnixNano")?)?, time(span.get("endTimeUnixNano")?)?);
    let is_recent_span =
        end.duration_since(start).ok()? <= MAX_DURATION && start + MAX_AGE >= now && end <= now + MAX_AHEAD;
    if span_id == SpanId::INVALID || parent == Some(SpanId::INVALID) || !is_recent(trace_id, now) || !is_recent_span {
        return None;
    }
    let mut parsed = ForwardedSpan::new(trace_id, span_id, name(span.get("name")?)?, start, end);
    parsed.parent_span_id = parent;
    if span.get("kind").and_then(Value::as_u64) == Some(CLIENT) {
        parsed.kind = SpanKind::Client;
    }
    parsed.failed = span.get("status").and_then(|status| status.get("code")?.as_u64()) == Some(ERROR);
    let attributes = Attributes::parse(span.get("attributes"));
    (parsed.attributes, parsed.dropped_attributes) = (attributes.kept, attributes.dropped);
    let events = span.get("events").and_then(Value::as_array).into_iter().flatten();
    parsed.events = events.filter_map(|event| exception(event, start, end)).take(MAX_EVENTS).collect();
    Some(parsed)
}

/// Parses hexadecimal digits, of which there must be exactly two for each byte. An id of zeros is invalid.
fn id<const N: usize>(value: &Value) -> Option<[u8; N]> {
    let text =
        value.as_str().filter(|text| text.len() == 2 * N && text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Parses nanoseconds since the epoch. A 64-bit number is a string in OTLP's JSON form; some clients send a number.
fn time(value: &Value) -> Option<SystemTime> {
    let nanos = match value.as_str() {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => value.as_u64()?,
    };
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
}

fn name(value: &Value) -> Option<String> {
    let name = without_query(value.as_str()?).trim();
    let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let is_valid = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_printable);
    is_valid.then(|| name.to_owned())
}

/// Returns an exception with its type. Its message may quote private data.
fn exception(event: &Value, start: SystemTime, end: SystemTime) -> Option<Event> {
    if event.get("name")?.as_str()? != EXCEPTION {
        return None;
    }
    let at = time(event.get("timeUnixNano")?)?.clamp(start, end);
    let Attributes { mut kept, dropped } = Attributes::parse(event.get("attributes"));
    let all = kept.len();
    kept.retain(|attribute| attribute.key.as_str() == EXCEPTION_TYPE);
    let dropped = dropped.saturating_add(u32::try_from(all - kept.len()).unwrap_or(u32::MAX));
    Some(Event::new(EXCEPTION, at, kept, dropped))
}

#[cfg(feature = "openapi")]
pub(super) fn schema() -> Value {
    let id = |digits: usize| serde_json::json!({ "type": "string", "pattern": format!("^[0-9A-Fa-f]{{{digits}}}$") });
    let nanos = serde_json::json!({
        "type": ["string", "integer"],
        "description": "Nanoseconds since 1970. A span starts at most an hour ago and takes at most 10 minutes.",
    });
    let list = serde_json::json!({ "type": "array", "items": { "type": "object" } });
    serde_json::json!({
        "type": "object",
        "properties": {
            "traceId": id(32),
            "spanId": id(16),
            "parentSpanId": { "type": ["string", "null"], "pattern": "^([0-9A-Fa-f]{16})?$" },
            "name": { "type": "string" },
            "kind": { "type": "integer" },
            "startTimeUnixNano": nanos,
            "endTimeUnixNano": nanos,
            "attributes": list,
            "events": list,
            "status": { "type": "object" },
        },
    })
}

#[cfg(feature = "openapi")]
pub(super) fn example() -> Value {
    serde_json::json!({
        "traceId": "6b02d940bd862e3fe1be46a994272793",
        "spanId": "00f067aa0ba902b7",
        "name": "GET /api/activities/home",
        "kind": CLIENT,
        "startTimeUnixNano": "1795348800000000000",
        "endTimeUnixNano": "1795348800120000000",
        "attributes": [{ "key": "http.response.status_code", "value": { "intValue": "200" } }],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: u64 = 0x6b02_d940;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    /// Nanoseconds at `seconds` after now.
    fn at(seconds: i64) -> Value {
        let nanos = i128::from(NOW) * 1_000_000_000 + i128::from(seconds) * 1_000_000_000;
        json!(nanos.to_string())
    }

    fn good() -> Value {
        json!({
            "traceId": "6b02d940bd862e3fe1be46a994272793", "spanId": "00f067aa0ba902b7",
            "parentSpanId": "53995c3f42cd8ad8", "name": "GET /api/activities/home?term=secret", "kind": 3,
            "startTimeUnixNano": at(-2), "endTimeUnixNano": at(-1), "status": { "code": 2, "message": "secret" },
            "attributes": [
                { "key": "url.path", "value": { "stringValue": "/api/activities/home" } },
                { "key": "secret", "value": { "stringValue": "secret" } },
            ],
            "events": [
                { "name": "exception", "timeUnixNano": at(-60), "attributes": [
                    { "key": "exception.type", "value": { "stringValue": "TypeError" } },
                    { "key": "exception.message", "value": { "stringValue": "secret" } },
                    { "key": "app.page", "value": { "stringValue": "home" } },
                ] },
                { "name": "secret", "timeUnixNano": at(-1) },
            ],
            "links": [{ "traceId": "x" }], "traceState": "a=secret", "flags": 257,
        })
    }

    fn parsed(change: impl FnOnce(&mut Value)) -> Option<ForwardedSpan> {
        let mut span = good();
        change(&mut span);
        parse(span.as_object().unwrap(), now())
    }

    #[test]
    fn span_keeps_only_what_is_allowed() {
        let span = parsed(|_| ()).unwrap();
        assert_eq!(span.trace_id.to_string(), "6b02d940bd862e3fe1be46a994272793");
        assert_eq!(span.parent_span_id.unwrap().to_string(), "53995c3f42cd8ad8");
        assert_eq!(
            (span.name.as_ref(), span.kind.clone(), span.failed),
            ("GET /api/activities/home", SpanKind::Client, true)
        );
        assert_eq!(span.end.duration_since(span.start).unwrap(), Duration::from_secs(1));
        assert_eq!((span.attributes.len(), span.dropped_attributes, span.events.len()), (1, 1, 1));
        let event = &span.events[0];
        assert_eq!((event.timestamp, event.attributes.len(), event.dropped_attributes_count), (span.start, 1, 2));
        assert!(!format!("{span:?}").contains("secret"));
    }

    #[test]
    fn optional_members_have_defaults() {
        for missing in ["parentSpanId", "kind", "status", "attributes", "events"] {
            let span = parsed(|span| {
                span.as_object_mut().unwrap().remove(missing);
            });
            assert!(span.is_some(), "{missing}");
        }
        assert_eq!(parsed(|span| span["parentSpanId"] = json!("")).unwrap().parent_span_id, None);
        assert_eq!(parsed(|span| span["kind"] = json!(2)).unwrap().kind, SpanKind::Internal);
        assert_eq!(
            parsed(|span| span["startTimeUnixNano"] = json!(NOW * 1_000_000_000 - 1_500_000_000)).unwrap().start,
            now() - Duration::from_millis(1500)
        );
    }

    #[test]
    fn span_with_invalid_ids_times_or_name_is_rejected() {
        let zeros = "0".repeat(32);
        for (member, value) in [
            ("traceId", json!(zeros)),
            ("traceId", json!("6b02d940bd862e3fe1be46a99427279")),
            ("traceId", json!("6b02d940bd862e3fe1be46a99427279g")),
            ("traceId", json!("+b02d940bd862e3fe1be46a994272793")),
            ("traceId", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
            ("traceId", json!("ffffffffbd862e3fe1be46a994272793")),
            ("traceId", json!(5)),
            ("traceId", Value::Null),
            ("spanId", json!("0000000000000000")),
            ("spanId", json!("é0f067aa0aa902b")),
            ("parentSpanId", json!("0000000000000000")),
            ("parentSpanId", json!("x")),
            ("parentSpanId", json!([])),
            ("startTimeUnixNano", at(-3_601)),
            ("startTimeUnixNano", at(0)),
            ("startTimeUnixNano", json!("-1")),
            ("startTimeUnixNano", json!("")),
            ("startTimeUnixNano", json!(1.5)),
            ("startTimeUnixNano", json!("99999999999999999999")),
            ("startTimeUnixNano", at(-602)),
            ("endTimeUnixNano", at(301)),
            ("endTimeUnixNano", Value::Null),
            ("name", json!("")),
            ("name", json!("?secret")),
            ("name", json!("a\u{0}")),
            ("name", json!("a\u{202e}")),
            ("name", json!("x".repeat(129))),
            ("name", json!({})),
        ] {
            assert!(parsed(|span| span[member] = value.clone()).is_none(), "{member}: {value}");
        }
    }

    #[test]
    fn events_are_bounded() {
        let many: Vec<_> = (0..20).map(|_| json!({ "name": "exception", "timeUnixNano": at(-1) })).collect();
        assert_eq!(parsed(|span| span["events"] = json!(many)).unwrap().events.len(), 1);
    }

    proptest! {
        #[test]
        fn arbitrary_members_do_not_panic(member in "traceId|spanId|startTimeUnixNano|name|events|attributes", text: String) {
            for value in [json!(text), json!([text]), json!({ "key": text }), json!([{ "name": text, "key": text }])] {
                if let Some(span) = parsed(|span| span[&member] = value) {
                    prop_assert!(span.name.len() <= MAX_NAME && span.start <= span.end);
                }
            }
        }
    }
}
