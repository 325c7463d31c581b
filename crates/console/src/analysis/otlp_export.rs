//! A trace as an OTLP request in JSON.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::model::span::{Event, Kind, Link, Resource, Scope, Span, StatusCode};
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};

const DROPPED: &str = "droppedAttributesCount";

/// The spans of a resource, by their scope.
type Scopes = Vec<(Arc<Scope>, Vec<Json>)>;

/// Returns the spans as an OTLP request. A span that arrived only as an X-Ray document is translated.
pub(crate) fn spans(trace: &Trace) -> Json {
    let mut resources: Vec<(Arc<Resource>, Scopes)> = Vec::new();
    for span in trace.spans.iter().map(Sides::main) {
        let at = resources.iter().rposition(|(resource, _)| *resource == span.resource).unwrap_or_else(|| {
            resources.push((span.resource.clone(), Vec::new()));
            resources.len() - 1
        });
        let Some((_, scopes)) = resources.get_mut(at) else { continue };
        match scopes.iter_mut().rfind(|(scope, _)| *scope == span.scope) {
            Some((_, spans)) => spans.push(self::span(span)),
            None => scopes.push((span.scope.clone(), vec![self::span(span)])),
        }
    }
    let resources = resources.into_iter().map(|(resource, scopes)| {
        let scopes = scopes.into_iter().map(|(scope, spans)| {
            let mut described = json!({
                "name": scope.name,
                "version": scope.version,
                "attributes": attributes(&scope.attributes),
            });
            set_count(&mut described, DROPPED, scope.dropped);
            let mut scope_spans = json!({"scope": described, "spans": spans});
            set_text(&mut scope_spans, "schemaUrl", &scope.schema_url);
            scope_spans
        });
        let mut described = json!({"attributes": attributes(&resource.attributes)});
        set_count(&mut described, DROPPED, resource.dropped);
        let mut resource_spans = json!({"resource": described, "scopeSpans": scopes.collect::<Vec<_>>()});
        set_text(&mut resource_spans, "schemaUrl", &resource.schema_url);
        resource_spans
    });
    json!({"resourceSpans": resources.collect::<Vec<_>>()})
}

/// Sets a text unless it is empty, which is protobuf's default.
fn set_text(object: &mut Json, name: &str, text: &str) {
    if !text.is_empty() {
        set(object, name, text.into());
    }
}

/// Sets a count unless it is 0, which is protobuf's default.
fn set_count(object: &mut Json, name: &str, count: u32) {
    if count > 0 {
        set(object, name, count.into());
    }
}

fn set(object: &mut Json, name: &str, value: Json) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Returns a span of an OTLP request.
pub(crate) fn span(span: &Span) -> Json {
    let mut object = Json::Object(Map::new());
    let mut put = |name: &str, value: Json| set(&mut object, name, value);
    put("traceId", span.trace.to_string().into());
    put("spanId", span.id.to_string().into());
    if let Some(parent) = span.parent {
        put("parentSpanId", parent.to_string().into());
    }
    if !span.trace_state.is_empty() {
        put("traceState", (&*span.trace_state).into());
    }
    put("name", (&*span.name).into());
    put("kind", Kind::ALL.iter().position(|kind| *kind == span.kind).into());
    put("startTimeUnixNano", span.start.to_string().into());
    put("endTimeUnixNano", span.end.unwrap_or(span.start).to_string().into());
    put("attributes", attributes(&span.attributes));
    if !span.events.is_empty() {
        let event = |event: &Event| {
            let mut object = json!({
                "timeUnixNano": event.time.to_string(),
                "name": &*event.name,
                "attributes": attributes(&event.attributes),
            });
            set_count(&mut object, DROPPED, event.dropped);
            object
        };
        put("events", span.events.iter().map(event).collect());
    }
    if !span.links.is_empty() {
        let link = |link: &Link| {
            let mut object = json!({
                "traceId": link.trace.to_string(),
                "spanId": link.span.to_string(),
                "attributes": attributes(&link.attributes),
            });
            set_text(&mut object, "traceState", &link.trace_state);
            set_count(&mut object, DROPPED, link.dropped);
            set_count(&mut object, "flags", link.flags);
            object
        };
        put("links", span.links.iter().map(link).collect());
    }
    let code = match span.status {
        StatusCode::Unset => 0,
        StatusCode::Ok => 1,
        StatusCode::Error => 2,
    };
    let mut status = Json::Object(Map::new());
    set_count(&mut status, "code", code);
    set_text(&mut status, "message", &span.status_message);
    if status.as_object().is_some_and(|status| !status.is_empty()) {
        put("status", status);
    }
    set_count(&mut object, "flags", span.flags);
    for (name, count) in [DROPPED, "droppedEventsCount", "droppedLinksCount"].iter().zip(span.dropped) {
        set_count(&mut object, name, count);
    }
    object
}

fn attributes(attributes: &[Attribute]) -> Json {
    attributes.iter().map(|attribute| json!({"key": &*attribute.key, "value": value(&attribute.value)})).collect()
}

/// The depth of a value is bounded.
fn value(value_of: &Value) -> Json {
    match value_of {
        Value::Empty => json!({}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Int(number) => json!({"intValue": number.to_string()}),
        Value::Double(number) if number.is_finite() => json!({"doubleValue": number}),
        Value::Double(_) => json!({"doubleValue": value_of.text()}),
        Value::Bytes(_) => json!({"bytesValue": value_of.text()}),
        Value::Array(items) => json!({"arrayValue": {"values": items.iter().map(value).collect::<Json>()}}),
        Value::Map(items) => json!({"kvlistValue": {"values": attributes(items)}}),
    }
}
