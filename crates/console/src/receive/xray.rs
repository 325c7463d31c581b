//! X-Ray documents.

use std::sync::Arc;

use super::intake::{DecodeError, Intake};
use crate::clock::Nanos;
use crate::json::{self, Json, Value as JsonValue};
use crate::model::ids::{SpanId, TraceId};
use crate::model::span::{Document, Event, Flags, Kind, Link, Resource, Scope, Segment, Span, StatusCode};
use crate::model::trace::Side;
use crate::model::value::{Attribute, Value};

/// The names of members of a document, and the keys of the attributes with the same meaning.
const PLACES: [(&[&str], &str); 17] = [
    (&["user"], "user.id"),
    (&["http", "request", "method"], "http.request.method"),
    (&["http", "request", "url"], "url.full"),
    (&["http", "request", "user_agent"], "user_agent.original"),
    (&["http", "request", "client_ip"], "client.address"),
    (&["http", "response", "status"], "http.response.status_code"),
    (&["http", "response", "content_length"], "http.response.body.size"),
    (&["aws", "account_id"], "cloud.account.id"),
    (&["aws", "region"], "cloud.region"),
    (&["aws", "request_id"], "aws.request_id"),
    (&["aws", "function_arn"], "aws.lambda.invoked_arn"),
    (&["aws", "queue_url"], "aws.sqs.queue.url"),
    (&["aws", "table_name"], "aws.dynamodb.table_names"),
    (&["sql", "database_type"], "db.system.name"),
    (&["sql", "sanitized_query"], "db.query.text"),
    (&["sql", "user"], "db.user"),
    (&["sql", "url"], "db.connection_string"),
];
/// The namespace in the metadata in which `lambda-spans` writes events, links and names.
const OWN: &str = "lambda_spans";

/// Reads a text with one document or a list of documents.
///
/// # Errors
/// If the text is not JSON, or a limit is exceeded.
pub(crate) fn documents(text: &str, now: Nanos, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let json = Json::parse(text)?;
    let root = json.root();
    if root.is_array() {
        for document in root.children() {
            self::document(document, now, intake)?;
        }
        Ok(())
    } else if root.is_object() {
        document(root, now, intake)
    } else {
        Err(DecodeError::Malformed("a segment document is an object".to_owned()))
    }
}

/// Reads one document with its nested subsegments. A document without an id or a trace id is rejected alone.
fn document(outer: JsonValue<'_, '_>, now: Nanos, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    // The BatchGetTraces API wraps each document into another object.
    if let Some(inner) = outer.get(&["Document"]).and_then(|inner| inner.str()) {
        return match Json::parse(inner) {
            Ok(json) if json.root().is_object() => document(json.root(), now, intake),
            Ok(_) | Err(_) => {
                intake.rejected += 1;
                Ok(())
            }
        };
    }
    let trace_text = outer.get(&["trace_id"]).and_then(|id| id.str());
    let (Some(trace_text), true) = (trace_text, outer.get(&["id"]).is_some_and(|id| id.str().is_some())) else {
        intake.rejected += 1;
        return Ok(());
    };
    let trace = TraceId::parse(trace_text);
    let invalid_trace_id = trace.is_none().then(|| trace_text.into());
    let trace = trace.unwrap_or_else(|| TraceId::of_invalid(trace_text));
    let document = Arc::new(Document { received_at: now, raw: outer.raw().into(), invalid_trace_id });
    let resource = resource(outer, intake);
    let scope = Arc::<Scope>::default();
    // Nested subsegments inherit the trace, the sender and the parent.
    let mut open = vec![(outer, parent_id(outer))];
    while let Some((segment, parent)) = open.pop() {
        let id = span_id(segment);
        let Some(id) = id else {
            intake.rejected += 1;
            continue;
        };
        let position = u32::try_from(segment.position() - outer.position()).unwrap_or_default();
        let span = Span {
            trace,
            id,
            parent,
            segment: Some(Box::new(Segment {
                document: document.clone(),
                position,
                is_segment: position == 0 && !is_subsegment(segment),
                is_invocation: position == 0
                    && is_subsegment(segment)
                    && segment.at(&["aws", "function_arn"]).is_some(),
                flags: flags(segment),
            })),
            ..span(segment, &resource, &scope, intake)?
        };
        intake.push(span, Side::Xray)?;
        let nested = segment.get(&["subsegments"]).filter(JsonValue::is_array);
        let nested: Vec<_> = nested.into_iter().flat_map(|list| list.children()).collect();
        open.extend(nested.into_iter().rev().map(|nested| (nested, Some(id))));
    }
    Ok(())
}

fn span_id(segment: JsonValue<'_, '_>) -> Option<SpanId> {
    let text = segment.get(&["id"])?.str()?;
    Some(SpanId::parse(text).unwrap_or_else(|| SpanId::of_invalid(text)))
}

fn parent_id(segment: JsonValue<'_, '_>) -> Option<SpanId> {
    let text = segment.get(&["parent_id"])?.str().filter(|text| !text.is_empty())?;
    Some(SpanId::parse(text).unwrap_or_else(|| SpanId::of_invalid(text)))
}

fn is_subsegment(segment: JsonValue<'_, '_>) -> bool {
    segment.get(&["type"]).and_then(|kind| kind.str()) == Some("subsegment")
}

fn flags(segment: JsonValue<'_, '_>) -> Flags {
    let flag = |key| segment.get(&[key]).and_then(|flag| flag.bool()).unwrap_or_default();
    Flags { error: flag("error"), fault: flag("fault"), throttle: flag("throttle") }
}

/// Returns the sender of a document: the name of a segment, or the function of an invocation.
fn resource(document: JsonValue<'_, '_>, intake: &mut Intake<'_>) -> Arc<Resource> {
    let text = |path: &[&str]| document.at(path).and_then(|value| value.str());
    let service =
        if is_subsegment(document) { text(&["aws", "function_arn"]).map(function_name) } else { text(&["name"]) };
    let mut attributes = Vec::new();
    let mut add = |key: &str, text: Option<&str>| {
        if let Some(text) = text {
            attributes.push(Attribute::new(intake.name(key), Value::String(intake.text(text))));
        }
    };
    add("service.name", service);
    add("service.version", text(&["service", "version"]));
    add("aws.xray.origin", text(&["origin"]));
    add("telemetry.sdk.name", text(&["aws", "xray", "sdk"]));
    intake.resource(Resource::new(attributes))
}

/// Returns the name in the ARN of a function, such as `api` in `arn:aws:lambda:eu-west-1:123456789012:function:api:1`.
fn function_name(arn: &str) -> &str {
    arn.split(':').nth(6).unwrap_or(arn)
}

/// Returns the time of a member. It is a number of seconds, or a text with one.
pub(crate) fn time(segment: JsonValue<'_, '_>, key: &str) -> Option<Nanos> {
    let value = segment.get(&[key])?;
    json::decimal(value.numeric()?, 9).and_then(|time| Nanos::try_from(time).ok())
}

fn span(
    segment: JsonValue<'_, '_>,
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
    intake: &mut Intake<'_>,
) -> Result<Span, DecodeError> {
    let start = time(segment, "start_time").unwrap_or_default();
    let in_progress = segment.get(&["in_progress"]).and_then(|flag| flag.bool()).unwrap_or_default();
    let end = time(segment, "end_time");
    let namespace = segment.get(&["namespace"]).and_then(|namespace| namespace.str()).unwrap_or_default();
    let is_subsegment = is_subsegment(segment) || segment.get(&["trace_id"]).is_none();
    let kind = match namespace {
        "aws" | "remote" => Kind::Client,
        _ if !is_subsegment => Kind::Server,
        _ => Kind::Internal,
    };
    let own = segment.at(&["metadata", OWN]);
    let own_text = |key| own.and_then(|own| own.get(&[key])?.str());
    let document_name = segment.get(&["name"]).and_then(|name| name.str()).unwrap_or_default();
    let operation = segment.at(&["aws", "operation"]).and_then(|operation| operation.str());
    let name = match (own_text("span.name"), operation) {
        (Some(name), _) => intake.name(name),
        (None, Some(operation)) if namespace == "aws" => intake.name(&format!("{document_name}.{operation}")),
        (None, _) => intake.name(document_name),
    };
    let mut attributes = Vec::new();
    for (path, key) in PLACES {
        if let Some(value) = segment.at(path) {
            push(&mut attributes, key, member(value, key, intake), intake)?;
        }
    }
    if let Some(operation) = operation {
        let method = format!("{document_name}/{operation}");
        push(&mut attributes, "rpc.method", Value::String(intake.text(&method)), intake)?;
    }
    for value in segment.get(&["annotations"]).into_iter().flat_map(|annotations| annotations.children()) {
        push(&mut attributes, value.key(), Value::of_json(value, 0), intake)?;
    }
    for namespace in segment.get(&["metadata"]).into_iter().flat_map(|metadata| metadata.children()) {
        if namespace.key() == OWN {
            continue;
        }
        if !namespace.is_object() {
            push(&mut attributes, namespace.key(), Value::of_json(namespace, 0), intake)?;
            continue;
        }
        for value in namespace.children() {
            let key = match namespace.key() {
                "default" => value.key().to_owned(),
                namespace => format!("{namespace}.{}", value.key()),
            };
            push(&mut attributes, &key, Value::of_json(value, 0), intake)?;
        }
    }
    let mut events = exceptions(segment, end.unwrap_or(start), intake)?;
    let mut links = Vec::new();
    if let Some(own) = own {
        for event in own.get(&["events"]).into_iter().flat_map(|list| list.children()) {
            if intake.has_room(events.len()) {
                intake.count()?;
                events.push(Event {
                    time: time(event, "time").unwrap_or(start),
                    name: intake.name(event.get(&["name"]).and_then(|name| name.str()).unwrap_or_default()),
                    attributes: members(event.get(&["attributes"]), intake)?.into(),
                    dropped: 0,
                });
            }
        }
    }
    let sources = [segment.get(&["links"]), own.and_then(|own| own.get(&["links"]))];
    for link in sources.into_iter().flatten().filter(JsonValue::is_array).flat_map(|list| list.children()) {
        let trace = link.get(&["trace_id"]).and_then(|id| TraceId::parse(id.str()?));
        let span = link.get(&["id", "span_id"]).and_then(|id| SpanId::parse(id.str()?));
        if let Some((trace, span)) = trace.zip(span)
            && intake.has_room(links.len())
        {
            intake.count()?;
            let attributes = members(link.get(&["attributes"]), intake)?.into();
            links.push(Link { trace, span, attributes, trace_state: Box::default(), dropped: 0, flags: 0 });
        }
    }
    let dropped = ["dropped_attributes", "dropped_events", "dropped_links"].map(|key| {
        let count = own.and_then(|own| own.get(&[key])?.integer());
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
    });
    let flags = flags(segment);
    Ok(Span {
        // The caller sets these.
        trace: TraceId::of_invalid(""),
        id: SpanId::of_invalid(""),
        parent: None,
        segment: None,
        name,
        kind,
        start,
        end: if in_progress { None } else { Some(end.unwrap_or(start)) },
        status: if flags.fault { StatusCode::Error } else { StatusCode::Unset },
        status_message: intake.text(own_text("span.status").unwrap_or_default()),
        attributes: attributes.into(),
        events: events.into(),
        links: links.into(),
        trace_state: Box::default(),
        flags: 0,
        dropped,
        resource: resource.clone(),
        scope: scope.clone(),
    })
}

/// Returns the value of a member, as OpenTelemetry types it. Some SDKs write numbers as text.
fn member(value: JsonValue<'_, '_>, key: &str, intake: &mut Intake<'_>) -> Value {
    if matches!(key, "http.response.status_code" | "http.response.body.size")
        && let Some(Ok(number)) = value.integer().map(i64::try_from)
    {
        return Value::Int(number);
    }
    match value.str() {
        Some(text) => Value::String(intake.text(text)),
        None => Value::of_json(value, 0),
    }
}

fn push(attributes: &mut Vec<Attribute>, key: &str, value: Value, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    if intake.has_room(attributes.len()) {
        intake.count()?;
        attributes.push(Attribute { key: intake.name(key), value });
    }
    Ok(())
}

fn members(object: Option<JsonValue<'_, '_>>, intake: &mut Intake<'_>) -> Result<Vec<Attribute>, DecodeError> {
    let mut attributes = Vec::new();
    for value in object.into_iter().flat_map(|object| object.children()) {
        push(&mut attributes, value.key(), Value::of_json(value, 0), intake)?;
    }
    Ok(attributes)
}

/// Returns the exceptions of the cause as events. A cause may also be the id of an exception in another document, or
/// an empty object.
fn exceptions(segment: JsonValue<'_, '_>, time: Nanos, intake: &mut Intake<'_>) -> Result<Vec<Event>, DecodeError> {
    let mut events = Vec::new();
    let list = segment.at(&["cause", "exceptions"]).filter(JsonValue::is_array);
    for exception in list.into_iter().flat_map(|list| list.children()) {
        if !intake.has_room(events.len()) {
            continue;
        }
        intake.count()?;
        let mut attributes = Vec::new();
        for (member, key) in [("type", "exception.type"), ("message", "exception.message")] {
            if let Some(text) = exception.get(&[member]).and_then(|text| text.str()) {
                push(&mut attributes, key, Value::String(intake.text(text)), intake)?;
            }
        }
        let frames = exception.get(&["stack"]).filter(JsonValue::is_array);
        let frames = frames.into_iter().flat_map(|stack| stack.children());
        let frame = |frame: JsonValue<'_, '_>| {
            let text = |key| frame.get(&[key]).map(|value| value.str().unwrap_or(value.raw()).to_owned());
            let (label, path) = (text("label").unwrap_or_default(), text("path").unwrap_or_default());
            text("line")
                .map_or_else(|| format!("    at {label} ({path})"), |line| format!("    at {label} ({path}:{line})"))
        };
        let stack = frames.map(frame).collect::<Vec<_>>().join("\n");
        if !stack.is_empty() {
            push(&mut attributes, "exception.stacktrace", Value::String(intake.text(&stack)), intake)?;
        }
        events.push(Event { time, name: intake.name("exception"), attributes: attributes.into(), dropped: 0 });
    }
    Ok(events)
}
