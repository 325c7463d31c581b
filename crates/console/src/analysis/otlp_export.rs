//! A trace as an OTLP request in JSON.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::model::span::{Kind, Resource, Scope, Span, StatusCode};
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};

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
            json!({
                "scope": {
                    "name": scope.name,
                    "version": scope.version,
                    "attributes": attributes(&scope.attributes),
                },
                "spans": spans,
            })
        });
        json!({
            "resource": {"attributes": attributes(&resource.attributes)},
            "scopeSpans": scopes.collect::<Vec<_>>(),
        })
    });
    json!({"resourceSpans": resources.collect::<Vec<_>>()})
}

/// Returns a span of an OTLP request.
pub(crate) fn span(span: &Span) -> Json {
    let mut object = Map::new();
    let mut put = |name: &str, value: Json| {
        object.insert(name.to_owned(), value);
    };
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
        let event = |event: &crate::model::span::Event| {
            json!({
                "timeUnixNano": event.time.to_string(),
                "name": &*event.name,
                "attributes": attributes(&event.attributes),
            })
        };
        put("events", span.events.iter().map(event).collect());
    }
    if !span.links.is_empty() {
        let link = |link: &crate::model::span::Link| {
            json!({
                "traceId": link.trace.to_string(),
                "spanId": link.span.to_string(),
                "attributes": attributes(&link.attributes),
            })
        };
        put("links", span.links.iter().map(link).collect());
    }
    for (name, count) in ["droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"].iter().zip(span.dropped)
    {
        if count > 0 {
            put(name, count.into());
        }
    }
    let code = match span.status {
        StatusCode::Unset => 0,
        StatusCode::Ok => 1,
        StatusCode::Error => 2,
    };
    if code > 0 {
        let mut status = json!({"code": code});
        if !span.status_message.is_empty()
            && let Some(status) = status.as_object_mut()
        {
            status.insert("message".to_owned(), (&*span.status_message).into());
        }
        put("status", status);
    }
    Json::Object(object)
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
