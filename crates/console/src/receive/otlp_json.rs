//! OTLP requests in JSON, as senders really write them.
//!
//! Accepts both `camelCase` and `snake_case` keys, enums by name or number, numbers as text and text as numbers, `null`
//! for any field, and base64 in every alphabet.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::intake::{DecodeError, Intake};
use crate::clock::Nanos;
use crate::json::{Json, JsonError, Value as JsonValue};
use crate::model::ids::{SpanId, TraceId};
use crate::model::span::{Event, Kind, Link, Log, Resource, Scope, Span, StatusCode};
use crate::model::trace::Side;
use crate::model::value::{Attribute, MAX_DEPTH, Value};

const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&STANDARD, ANY_PADDING), GeneralPurpose::new(&URL_SAFE, ANY_PADDING)];

const DROPPED: &[&str] = &["droppedAttributesCount", "dropped_attributes_count"];
const TRACE_STATE: &[&str] = &["traceState", "trace_state"];

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Truncated => Self::Truncated,
            JsonError::TooMany => Self::TooLarge("2000000 JSON values"),
            JsonError::Invalid(_) | JsonError::TooDeep => Self::Malformed(error.to_string()),
        }
    }
}

/// Reads a request with spans.
///
/// # Errors
/// If nothing can be decoded, or a limit is exceeded.
pub(crate) fn spans(text: &str, side: Side, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let json = Json::parse(text)?;
    let scopes = ["scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans"];
    let records = Members { resources: &["resourceSpans", "resource_spans"], scopes: &scopes, records: &["spans"] };
    records.read(json.root(), intake, &mut |record, resource, scope, intake| match span(
        record, resource, scope, intake,
    )? {
        Some(span) => intake.push(span, side),
        None => {
            intake.rejected += 1;
            Ok(())
        }
    })
}

/// Reads a request with log lines. `now` is their time if they have none.
///
/// # Errors
/// If nothing can be decoded, or a limit is exceeded.
pub(crate) fn logs(text: &str, now: Nanos, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let json = Json::parse(text)?;
    let scopes = ["scopeLogs", "scope_logs", "instrumentationLibraryLogs", "instrumentation_library_logs"];
    let records = ["logRecords", "log_records", "logs"];
    let records = Members { resources: &["resourceLogs", "resource_logs"], scopes: &scopes, records: &records };
    records.read(json.root(), intake, &mut |record, resource, _, intake| match log(record, resource, now, intake)? {
        Some(log) => intake.push_log(log),
        None => {
            intake.without_trace += 1;
            Ok(())
        }
    })
}

/// Returns whether a text looks like an OTLP request with spans or log lines.
pub(crate) fn is_request(root: JsonValue<'_, '_>) -> bool {
    root.get(&["resourceSpans", "resource_spans", "resourceLogs", "resource_logs"]).is_some()
}

/// The names of the lists in a request.
struct Members<'m> {
    resources: &'m [&'m str],
    scopes: &'m [&'m str],
    records: &'m [&'m str],
}

type EachRecord<'e> =
    dyn FnMut(JsonValue<'_, '_>, &Arc<Resource>, &Arc<Scope>, &mut Intake<'_>) -> Result<(), DecodeError> + 'e;

impl Members<'_> {
    fn read(
        &self,
        root: JsonValue<'_, '_>,
        intake: &mut Intake<'_>,
        each: &mut EachRecord<'_>,
    ) -> Result<(), DecodeError> {
        if !root.is_object() {
            return Err(DecodeError::Malformed("the body is not a JSON object".to_owned()));
        }
        let Some(resources) = root.get(self.resources) else { return Ok(()) };
        if !resources.is_array() {
            let message = format!("`{}` is not a list", resources.key());
            return Err(DecodeError::Malformed(message));
        }
        for resource_records in resources.children() {
            let resource = resource_records.get(&["resource"]);
            let attributes = attributes(resource.and_then(|resource| resource.get(&["attributes"])), 0, intake)?;
            let dropped = resource.map(|resource| count(resource, DROPPED)).unwrap_or_default();
            let schema_url = self::schema_url(resource_records, intake);
            let resource = intake.resource(Resource { dropped, schema_url, ..Resource::new(attributes) });
            for scope_records in list(resource_records, self.scopes) {
                let scope = scope_records.get(&["scope", "instrumentationLibrary", "instrumentation_library"]);
                let text = |key| scope.and_then(|scope| scope.get(&[key])?.str()).unwrap_or_default();
                let (name, version) = (intake.text(text("name")), intake.text(text("version")));
                let attributes = self::attributes(scope.and_then(|scope| scope.get(&["attributes"])), 0, intake)?;
                let scope = Arc::new(Scope {
                    name,
                    version,
                    attributes: attributes.into(),
                    dropped: scope.map(|scope| count(scope, DROPPED)).unwrap_or_default(),
                    schema_url: self::schema_url(scope_records, intake),
                });
                for record in list(scope_records, self.records) {
                    each(record, &resource, &scope, intake)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns the items of a list; none if it is missing or something else.
fn list<'d, 'a: 'd>(value: JsonValue<'d, 'a>, keys: &[&str]) -> impl Iterator<Item = JsonValue<'d, 'a>> + use<'d, 'a> {
    value.get(keys).filter(JsonValue::is_array).into_iter().flat_map(|list| list.children())
}

/// Returns `None` for a span with an invalid id.
fn span(
    record: JsonValue<'_, '_>,
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
    intake: &mut Intake<'_>,
) -> Result<Option<Span>, DecodeError> {
    let text = |keys: &[&str]| record.get(keys).and_then(|value| value.str()).unwrap_or_default();
    let trace = TraceId::parse_hexadecimal(text(&["traceId", "trace_id"]));
    let id = SpanId::parse(text(&["spanId", "span_id"]));
    let (Some(trace), Some(id)) = (trace, id) else { return Ok(None) };
    let mut dropped = [
        count(record, DROPPED),
        count(record, &["droppedEventsCount", "dropped_events_count"]),
        count(record, &["droppedLinksCount", "dropped_links_count"]),
    ];
    let mut events = Vec::new();
    for item in list(record, &["events"]) {
        if intake.has_room(events.len()) {
            intake.count()?;
            events.push(Event {
                time: time(item, &["timeUnixNano", "time_unix_nano"]),
                name: intake.name(item.get(&["name"]).and_then(|value| value.str()).unwrap_or_default()),
                attributes: attributes(item.get(&["attributes"]), 0, intake)?.into(),
                dropped: count(item, DROPPED),
            });
        } else {
            dropped[1] = dropped[1].saturating_add(1);
        }
    }
    let mut links = Vec::new();
    for item in list(record, &["links"]) {
        if intake.has_room(links.len()) {
            intake.count()?;
            let text = |keys: &[&str]| item.get(keys).and_then(|value| value.str()).unwrap_or_default();
            let trace = TraceId::parse_hexadecimal(text(&["traceId", "trace_id"]));
            if let Some((trace, span)) = trace.zip(SpanId::parse(text(&["spanId", "span_id"]))) {
                let attributes = attributes(item.get(&["attributes"]), 0, intake)?.into();
                links.push(Link {
                    trace,
                    span,
                    attributes,
                    trace_state: intake.text(text(TRACE_STATE)),
                    dropped: count(item, DROPPED),
                    flags: count(item, &["flags"]),
                });
            }
        } else {
            dropped[2] = dropped[2].saturating_add(1);
        }
    }
    let status = record.get(&["status"]);
    let message = status.and_then(|status| status.get(&["message"])?.str());
    Ok(Some(Span {
        trace,
        id,
        parent: SpanId::parse(text(&["parentSpanId", "parent_span_id"])),
        name: intake.name(text(&["name"])),
        kind: record.get(&["kind"]).map(kind).unwrap_or_default(),
        start: time(record, &["startTimeUnixNano", "start_time_unix_nano"]),
        end: Some(time(record, &["endTimeUnixNano", "end_time_unix_nano"])),
        status: status.and_then(|status| status.get(&["code"])).map(status_code).unwrap_or_default(),
        status_message: intake.text(message.unwrap_or_default()),
        attributes: attributes(record.get(&["attributes"]), 0, intake)?.into(),
        events: events.into(),
        links: links.into(),
        trace_state: intake.text(text(TRACE_STATE)),
        flags: count(record, &["flags"]),
        dropped,
        resource: resource.clone(),
        scope: scope.clone(),
        segment: None,
    }))
}

fn log(
    record: JsonValue<'_, '_>,
    resource: &Arc<Resource>,
    now: Nanos,
    intake: &mut Intake<'_>,
) -> Result<Option<Log>, DecodeError> {
    let text = |keys: &[&str]| record.get(keys).and_then(|value| value.str()).unwrap_or_default();
    let Some(trace) = TraceId::parse_hexadecimal(text(&["traceId", "trace_id"])) else { return Ok(None) };
    let times = [
        time(record, &["timeUnixNano", "time_unix_nano"]),
        time(record, &["observedTimeUnixNano", "observed_time_unix_nano"]),
        now,
    ];
    let severity = record.get(&["severityNumber", "severity_number"]).map(severity).unwrap_or_default();
    Ok(Some(Log {
        trace,
        span: SpanId::parse(text(&["spanId", "span_id"])),
        time: times.into_iter().find(|time| *time > 0).unwrap_or_default(),
        severity,
        severity_text: intake.text(text(&["severityText", "severity_text"])),
        body: record.get(&["body"]).map(|body| value(body, 0, intake)).transpose()?.unwrap_or_default(),
        attributes: attributes(record.get(&["attributes"]), 0, intake)?.into(),
        resource: resource.clone(),
    }))
}

/// Both of a resource's spans and of a scope's spans.
fn schema_url(records: JsonValue<'_, '_>, intake: &mut Intake<'_>) -> Box<str> {
    intake.text(records.get(&["schemaUrl", "schema_url"]).and_then(|url| url.str()).unwrap_or_default())
}

fn time(record: JsonValue<'_, '_>, keys: &[&str]) -> Nanos {
    record.get(keys).and_then(|value| value.integer()).and_then(|time| Nanos::try_from(time).ok()).unwrap_or_default()
}

fn count(record: JsonValue<'_, '_>, keys: &[&str]) -> u32 {
    record.get(keys).and_then(|value| value.integer()).and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
}

fn kind(value: JsonValue<'_, '_>) -> Kind {
    if let Some(number) = value.integer() {
        return Kind::of_number(number);
    }
    let name = value.str().unwrap_or_default().to_ascii_lowercase();
    let name = name.strip_prefix("span_kind_").unwrap_or(&name);
    Kind::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or_default()
}

fn status_code(value: JsonValue<'_, '_>) -> StatusCode {
    let name = value.str().unwrap_or_default().to_ascii_uppercase();
    match (value.integer(), name.strip_prefix("STATUS_CODE_").unwrap_or(&name)) {
        (Some(1), _) | (None, "OK") => StatusCode::Ok,
        (Some(2), _) | (None, "ERROR") => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}

/// Severities by name are `SEVERITY_NUMBER_WARN2` and the like.
fn severity(value: JsonValue<'_, '_>) -> u8 {
    if let Some(number) = value.integer() {
        return u8::try_from(number).unwrap_or_default();
    }
    let name = value.str().unwrap_or_default();
    let name = name.strip_prefix("SEVERITY_NUMBER_").unwrap_or(name);
    let level = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let step = name.get(level.len()..).and_then(|step| step.parse::<u8>().ok()).unwrap_or(1);
    let first = match level {
        "TRACE" => 1,
        "DEBUG" => 5,
        "INFO" => 9,
        "WARN" => 13,
        "ERROR" => 17,
        "FATAL" => 21,
        _ => return 0,
    };
    first + step.clamp(1, 4) - 1
}

fn attributes(
    list: Option<JsonValue<'_, '_>>,
    depth: usize,
    intake: &mut Intake<'_>,
) -> Result<Vec<Attribute>, DecodeError> {
    let mut attributes = Vec::new();
    let Some(list) = list else { return Ok(attributes) };
    for item in list.children() {
        if !intake.has_room(attributes.len()) {
            continue;
        }
        intake.count()?;
        // A list of pairs, or the object that some senders write instead.
        let (key, item) = if list.is_object() {
            (item.key(), Some(item))
        } else {
            (item.get(&["key"]).and_then(|key| key.str()).unwrap_or_default(), item.get(&["value"]))
        };
        let key = intake.name(key);
        let value = item.map(|item| value(item, depth, intake)).transpose()?.unwrap_or_default();
        attributes.push(Attribute { key, value });
    }
    Ok(attributes)
}

/// The depth is bounded by [`MAX_DEPTH`]; what is deeper stays text.
fn value(item: JsonValue<'_, '_>, depth: usize, intake: &mut Intake<'_>) -> Result<Value, DecodeError> {
    if depth >= MAX_DEPTH {
        return Ok(Value::String(intake.text(item.raw())));
    }
    if !item.is_object() {
        return Ok(match item.str() {
            Some(text) => Value::String(intake.text(text)),
            None => Value::of_json(item, depth),
        });
    }
    // Of several values, the last one counts.
    let Some(content) = item.children().filter(|content| !content.is_null()).last() else { return Ok(Value::Empty) };
    Ok(match content.key() {
        "stringValue" | "string_value" => {
            Value::String(intake.text(content.str().or_else(|| content.number()).unwrap_or_default()))
        }
        "boolValue" | "bool_value" => Value::Bool(content.bool().unwrap_or(content.str() == Some("true"))),
        "intValue" | "int_value" => match content.integer().map(i64::try_from) {
            Some(Ok(number)) => Value::Int(number),
            _ => Value::String(intake.text(content.numeric().unwrap_or_default())),
        },
        "doubleValue" | "double_value" => Value::Double(content.float().unwrap_or(f64::NAN)),
        "arrayValue" | "array_value" => {
            let mut items = Vec::new();
            for item in list(content, &["values"]) {
                if intake.has_room(items.len()) {
                    intake.count()?;
                    items.push(value(item, depth + 1, intake)?);
                }
            }
            Value::Array(items.into())
        }
        "kvlistValue" | "kvlist_value" => Value::Map(attributes(content.get(&["values"]), depth + 1, intake)?.into()),
        "bytesValue" | "bytes_value" => {
            let text = content.str().unwrap_or_default();
            let bytes = BASE64.iter().find_map(|alphabet| alphabet.decode(text).ok());
            bytes.map_or_else(|| Value::String(intake.text(text)), |bytes| Value::Bytes(bytes.into()))
        }
        _ => Value::Empty,
    })
}
