//! The events that Honeycomb stores for a trace: one for each span, span event and link, with flat fields.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::xray::documents::ParsedDocuments;
use crate::model::ids::SpanId;
use crate::model::keys;
use crate::model::span::{Event, Link, Span, StatusCode};
use crate::model::summary::{Decimal, Parent, parent};
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};

/// Honeycomb flattens maps to this depth. Deeper ones become JSON.
const MAX_DEPTH: usize = 5;
/// The attributes of an exception that Honeycomb copies to its span.
const EXCEPTION: [&str; 4] = ["exception.message", "exception.type", "exception.stacktrace", "exception.escaped"];
/// The greatest integer that every reader of JSON keeps. Greater ones are texts.
const MAX_EXACT: u64 = (1 << 53) - 1;
/// The namespace in the X-Ray metadata of `lambda-spans`.
const OWN: &str = "lambda_spans";

/// The view of a trace.
#[derive(Debug, Serialize)]
pub(crate) struct HoneycombView {
    events: Vec<EventRow>,
    sample_rate: i64,
    left_out: Option<LeftOut>,
}

/// An event of Honeycomb.
#[derive(Debug, Serialize)]
pub(crate) struct EventRow {
    span: SpanId,
    time: Decimal,
    fields: Map<String, Json>,
}

/// Why OTLP did not get a trace that X-Ray got.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct LeftOut {
    reason: String,
    rate: Option<i64>,
}

impl HoneycombView {
    /// Returns the view of a trace.
    pub(crate) fn new(trace: &Trace) -> Self {
        let mut events = Vec::new();
        let mut sample_rate = 1;
        for span in trace.spans.iter().filter_map(Sides::otlp) {
            let (rate, rows) = events_of(span);
            sample_rate = sample_rate.max(rate);
            events.extend(rows);
        }
        let left_out = events.is_empty().then(|| left_out(trace)).flatten();
        Self { events, sample_rate, left_out }
    }
}

/// Returns the sample rate of a span and its events, first the span's own.
pub(crate) fn events_of(span: &Span) -> (i64, Vec<EventRow>) {
    let shared = shared_fields(span);
    let failed = span.status == StatusCode::Error;
    let mut fields = fields(span);
    copy_exception(span, &mut fields);
    if failed {
        fields.insert("error".to_owned(), true.into());
    }
    fields.extend(shared.clone());
    add(&mut fields, &span.attributes);
    let rate = take_sample_rate(&mut fields);
    let row = |time, fields| EventRow { span: span.id, time: Decimal(time), fields };
    fields.insert("SampleRate".to_owned(), rate.into());
    let mut rows = vec![row(span.start, fields)];
    let mut annotation = |time, mut own: Map<String, Json>, attributes: &[Attribute]| {
        if failed {
            own.insert("error".to_owned(), true.into());
        }
        own.extend(shared.clone());
        add(&mut own, attributes);
        own.insert("SampleRate".to_owned(), rate.into());
        rows.push(row(time, own));
    };
    span.events.iter().for_each(|event| annotation(event.time, of_event(span, event), &event.attributes));
    span.links.iter().for_each(|link| annotation(span.start, of_link(span, link), &link.attributes));
    (rate, rows)
}

/// The fields of the resource and of the library.
fn shared_fields(span: &Span) -> Map<String, Json> {
    let mut fields = Map::new();
    add(&mut fields, &span.resource.attributes);
    for (key, text) in [("library.name", &span.scope.name), ("library.version", &span.scope.version)] {
        if !text.is_empty() {
            fields.insert(key.to_owned(), (&**text).into());
        }
    }
    add(&mut fields, &span.scope.attributes);
    fields
}

fn object(fields: Json) -> Map<String, Json> {
    match fields {
        Json::Object(fields) => fields,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => Map::new(),
    }
}

fn fields(span: &Span) -> Map<String, Json> {
    let duration = i128::from(span.end.unwrap_or(span.start)) - i128::from(span.start);
    let status = match span.status {
        StatusCode::Unset => 0,
        StatusCode::Ok => 1,
        StatusCode::Error => 2,
    };
    let mut fields = object(json!({
        "trace.trace_id": span.trace,
        "trace.span_id": span.id,
        "type": span.kind.name(),
        "span.kind": span.kind.name(),
        "name": &*span.name,
        "duration_ms": milliseconds(duration.max(0)),
        "status_code": status,
        "span.num_links": span.links.len(),
        "span.num_events": span.events.len(),
        "meta.signal_type": "trace",
    }));
    let mut put = |key: &str, value: Json| {
        fields.insert(key.to_owned(), value);
    };
    if let Some(parent) = span.parent {
        put("trace.parent_id", parent.to_string().into());
    }
    if !span.trace_state.is_empty() {
        put("trace.trace_state", (&*span.trace_state).into());
    }
    if !span.status_message.is_empty() {
        put("status_message", (&*span.status_message).into());
    }
    if duration < 0 {
        put("meta.invalid_duration", true.into());
    }
    fields
}

fn of_event(span: &Span, event: &Event) -> Map<String, Json> {
    let since = i128::from(event.time) - i128::from(span.start);
    let mut fields = object(json!({
        "trace.trace_id": span.trace,
        "trace.parent_id": span.id,
        "name": &*event.name,
        "parent_name": &*span.name,
        "meta.annotation_type": "span_event",
        "meta.signal_type": "trace",
        "meta.time_since_span_start_ms": milliseconds(since.max(0)),
    }));
    if since < 0 {
        fields.insert("meta.invalid_time_since_span_start".to_owned(), true.into());
    }
    fields
}

fn of_link(span: &Span, link: &Link) -> Map<String, Json> {
    object(json!({
        "trace.trace_id": span.trace,
        "trace.parent_id": span.id,
        "trace.link.trace_id": link.trace,
        "trace.link.span_id": link.span,
        "parent_name": &*span.name,
        "meta.annotation_type": "link",
        "meta.signal_type": "trace",
    }))
}

#[expect(clippy::cast_precision_loss, reason = "Honeycomb divides the nanoseconds as floating point numbers")]
fn milliseconds(nanos: i128) -> f64 {
    nanos as f64 / 1e6
}

/// The first exception is copied to its span, unless the span has these attributes.
fn copy_exception(span: &Span, fields: &mut Map<String, Json>) {
    if let Some(exception) = span.events.iter().find(|event| &*event.name == "exception") {
        for attribute in exception.attributes.iter().filter(|attribute| EXCEPTION.contains(&&*attribute.key)) {
            add(fields, std::slice::from_ref(attribute));
        }
    }
}

/// Honeycomb adds attributes last, so they replace other fields.
fn add(fields: &mut Map<String, Json>, attributes: &[Attribute]) {
    // The depth of a value is bounded.
    let mut open: Vec<(String, &Value, usize)> =
        attributes.iter().rev().map(|attribute| (attribute.key.to_string(), &attribute.value, 0)).collect();
    while let Some((key, value, depth)) = open.pop() {
        let value = match value {
            Value::Map(items) if depth < MAX_DEPTH => {
                let items = items.iter().rev();
                open.extend(items.map(|item| (format!("{key}.{}", item.key), &item.value, depth + 1)));
                continue;
            }
            Value::Empty => continue,
            Value::Bool(flag) => (*flag).into(),
            Value::Int(number) if number.unsigned_abs() <= MAX_EXACT => (*number).into(),
            Value::Double(number) if number.is_finite() => (*number).into(),
            Value::Bytes(_) => format!("\"{}\"", value.text()).into(),
            Value::String(_) | Value::Int(_) | Value::Double(_) | Value::Array(_) | Value::Map(_) => {
                value.text().into()
            }
        };
        fields.insert(key, value);
    }
}

/// The attribute is the rate of the event, not a field.
fn take_sample_rate(fields: &mut Map<String, Json>) -> i64 {
    let Some(value) = keys::SAMPLE_RATE.iter().find_map(|key| fields.remove(*key)) else { return 1 };
    let rate = value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(1);
    if rate == 0 { 1 } else { rate }
}

/// The root's document says why; `lambda-spans` writes the reason into its metadata.
fn left_out(trace: &Trace) -> Option<LeftOut> {
    let roots = trace.spans.iter().filter(|sides| !matches!(parent(trace, sides), Parent::Known(_)));
    let mut roots: Vec<&Sides> = roots.filter(|sides| sides.xray().is_some()).collect();
    roots.sort_by_key(|sides| sides.main().start);
    roots.first()?;
    let parsed = ParsedDocuments::of(trace);
    let declared = roots.iter().find_map(|sides| {
        let own = parsed.part(sides.main().segment.as_deref()?)?.at(&["metadata", OWN])?;
        let reason = own.children().find(|value| value.key().ends_with("left_out"))?;
        let rate = own.children().find(|value| value.key().ends_with("rate")).or_else(|| reason.get(&["rate"]));
        Some(LeftOut {
            reason: reason.str().or_else(|| reason.get(&["reason"])?.str()).unwrap_or(reason.raw()).to_owned(),
            rate: rate.and_then(|rate| i64::try_from(rate.integer()?).ok()),
        })
    });
    Some(declared.unwrap_or_else(|| LeftOut { reason: "not_received".to_owned(), rate: None }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::ids::TraceId;
    use crate::model::span::{Resource, Scope};

    fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
        Attribute::new(key, value.into())
    }

    fn rich() -> Span {
        let exception = [attribute("exception.type", "Timeout"), attribute("other", 1)];
        let map = Value::Map(Box::new([attribute("b", 1), attribute("c", "x")]));
        Span {
            name: "Query".into(),
            status: StatusCode::Error,
            status_message: "timed out".into(),
            attributes: Box::new([
                attribute("SampleRate", 20),
                Attribute::new("a", map),
                Attribute::new("list", Value::Array(Box::new([Value::Int(1), Value::from("y")]))),
            ]),
            events: Box::new([Event {
                time: 1_500_000,
                name: "exception".into(),
                attributes: Box::new(exception),
                dropped: 0,
            }]),
            links: Box::new([Link {
                trace: TraceId::parse("5759e988bd862e3fe1be46a994272793").unwrap(),
                span: SpanId::parse("00f067aa0ba902b7").unwrap(),
                attributes: Box::new([]),
                trace_state: Box::default(),
                dropped: 0,
                flags: 0,
            }]),
            resource: Arc::new(Resource::new(vec![attribute("service.name", "api")])),
            scope: Arc::new(Scope {
                name: "lib".into(),
                version: "1".into(),
                attributes: Box::new([]),
                ..Scope::default()
            }),
            ..span(2, 1, 1_000_000, 3_500_000)
        }
    }

    #[test]
    fn span_event_and_link_are_three_events() {
        let view = serde_json::to_value(HoneycombView::new(&trace([rich()]))).unwrap();
        let fields = |index: usize| view["events"][index]["fields"].clone();
        let trace_id = "00000000000000000000000000000001";
        assert_eq!(
            fields(0),
            json!({
                "trace.trace_id": trace_id, "trace.span_id": "0000000000000002", "trace.parent_id": "0000000000000001",
                "type": "internal", "span.kind": "internal", "name": "Query", "duration_ms": 2.5, "status_code": 2,
                "status_message": "timed out", "error": true, "span.num_links": 1, "span.num_events": 1,
                "meta.signal_type": "trace", "service.name": "api", "library.name": "lib", "library.version": "1",
                "a.b": 1, "a.c": "x", "list": "[1,\"y\"]", "exception.type": "Timeout", "SampleRate": 20,
            })
        );
        assert_eq!(
            fields(1),
            json!({
                "trace.trace_id": trace_id, "trace.parent_id": "0000000000000002", "name": "exception",
                "parent_name": "Query", "meta.annotation_type": "span_event", "meta.signal_type": "trace",
                "meta.time_since_span_start_ms": 0.5, "error": true, "exception.type": "Timeout", "other": 1,
                "service.name": "api", "library.name": "lib", "library.version": "1", "SampleRate": 20,
            })
        );
        assert_eq!(fields(2)["trace.link.span_id"], "00f067aa0ba902b7");
        assert_eq!(fields(2)["meta.annotation_type"], "link");
        assert_eq!((&view["sample_rate"], &view["left_out"]), (&json!(20), &Json::Null));
    }

    #[test]
    fn root_has_no_parent_and_rate_one() {
        let (rate, rows) = events_of(&span(1, 0, 5, 4));
        assert_eq!((rate, rows.len()), (1, 1));
        assert!(!rows[0].fields.contains_key("trace.parent_id"));
        assert_eq!(rows[0].fields["duration_ms"], 0.0);
        assert_eq!(rows[0].fields["meta.invalid_duration"], true);
    }
}
