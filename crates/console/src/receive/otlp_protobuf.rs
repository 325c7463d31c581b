//! OTLP requests in protobuf.

use std::sync::Arc;

use super::intake::{DecodeError, Intake};
use super::protobuf::{Field, Fields, WireError};
use crate::clock::Nanos;
use crate::model::ids::{SpanId, TraceId};
use crate::model::span::{Event, Kind, Link, Log, Resource, Scope, Span, StatusCode};
use crate::model::trace::Side;
use crate::model::value::{Attribute, MAX_DEPTH, Value};

impl From<WireError> for DecodeError {
    fn from(_: WireError) -> Self {
        Self::Malformed("the body is not an OTLP request in protobuf".to_owned())
    }
}

/// Reads a request with spans.
///
/// # Errors
/// If nothing can be decoded, or a limit is exceeded.
pub(crate) fn spans(bytes: &[u8], side: Side, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    resources(bytes, intake, &mut |record, resource, scope, intake| {
        match span(record, resource, scope, intake) {
            Ok(Some(span)) => intake.push(span, side)?,
            Ok(None) | Err(DecodeError::Malformed(_) | DecodeError::Truncated) => intake.rejected += 1,
            Err(error @ DecodeError::TooLarge(_)) => return Err(error),
        }
        Ok(())
    })
}

/// Reads a request with log lines. `now` is their time if they have none.
///
/// # Errors
/// If nothing can be decoded, or a limit is exceeded.
pub(crate) fn logs(bytes: &[u8], now: Nanos, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    resources(bytes, intake, &mut |record, resource, _, intake| {
        match log(record, resource, now, intake) {
            Ok(Some(log)) => intake.push_log(log)?,
            Ok(None) => intake.without_trace += 1,
            Err(DecodeError::Malformed(_) | DecodeError::Truncated) => intake.rejected += 1,
            Err(error @ DecodeError::TooLarge(_)) => return Err(error),
        }
        Ok(())
    })
}

type EachRecord<'e> = dyn FnMut(&[u8], &Arc<Resource>, &Arc<Scope>, &mut Intake<'_>) -> Result<(), DecodeError> + 'e;

/// Requests with spans and with log lines have the same outer messages. A part that cannot be decoded is rejected
/// alone, unless it is all there is.
fn resources(bytes: &[u8], intake: &mut Intake<'_>, each: &mut EachRecord<'_>) -> Result<(), DecodeError> {
    let mut fields = Fields::new(bytes);
    let mut is_any = false;
    loop {
        match fields.next() {
            Ok(Some((1, field))) => match resource_records(field.bytes(), intake, each) {
                Ok(()) => is_any = true,
                Err(error @ DecodeError::TooLarge(_)) => return Err(error),
                Err(error) if !is_any && intake.batch.spans.is_empty() && intake.batch.logs.is_empty() => {
                    return Err(error);
                }
                Err(_) => intake.rejected += 1,
            },
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(WireError) if is_any => {
                intake.rejected += 1;
                return Ok(());
            }
            Err(WireError) => return Err(WireError.into()),
        }
    }
}

fn resource_records(bytes: &[u8], intake: &mut Intake<'_>, each: &mut EachRecord<'_>) -> Result<(), DecodeError> {
    // The resource may follow the spans.
    let (mut attributes, mut dropped, mut schema_url) = (Vec::new(), 0, Box::default());
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => {
                let mut fields = Fields::new(field.bytes());
                while let Some((number, field)) = fields.next()? {
                    match number {
                        1 => push_attribute(&mut attributes, field, intake)?,
                        2 => dropped = count(field),
                        _ => {}
                    }
                }
            }
            3 => schema_url = intake.text(&field.text()),
            _ => {}
        }
    }
    let resource = intake.resource(Resource { dropped, schema_url, ..Resource::new(attributes) });
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        // 1000 are the spans of a library before version 0.15 of OTLP.
        if number == 2 || number == 1000 {
            scope_records(field.bytes(), &resource, intake, each)?;
        }
    }
    Ok(())
}

fn scope_records(
    bytes: &[u8],
    resource: &Arc<Resource>,
    intake: &mut Intake<'_>,
    each: &mut EachRecord<'_>,
) -> Result<(), DecodeError> {
    let (mut scope, mut attributes) = (Scope::default(), Vec::new());
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => {
                let mut fields = Fields::new(field.bytes());
                while let Some((number, field)) = fields.next()? {
                    match number {
                        1 => scope.name = intake.text(&field.text()),
                        2 => scope.version = intake.text(&field.text()),
                        3 => push_attribute(&mut attributes, field, intake)?,
                        4 => scope.dropped = count(field),
                        _ => {}
                    }
                }
            }
            3 => scope.schema_url = intake.text(&field.text()),
            _ => {}
        }
    }
    scope.attributes = attributes.into();
    let scope = Arc::new(scope);
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        if number == 2 {
            each(field.bytes(), resource, &scope, intake)?;
        }
    }
    Ok(())
}

/// Returns `None` for a span with an invalid id.
fn span(
    bytes: &[u8],
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
    intake: &mut Intake<'_>,
) -> Result<Option<Span>, DecodeError> {
    let (mut trace, mut id, mut parent) = (None, None, None);
    let mut name: Arc<str> = Arc::default();
    let (mut kind, mut start, mut end) = (Kind::Unspecified, 0, 0);
    let (mut status, mut status_message, mut trace_state) = (StatusCode::Unset, Box::default(), Box::default());
    let (mut attributes, mut events, mut links) = (Vec::new(), Vec::new(), Vec::new());
    let (mut dropped, mut flags) = ([0_u32; 3], 0);
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => trace = TraceId::from_bytes(field.bytes()),
            2 => id = SpanId::from_bytes(field.bytes()),
            3 => trace_state = intake.text(&field.text()),
            4 => parent = SpanId::from_bytes(field.bytes()),
            5 => name = intake.name(&field.text()),
            6 => kind = Kind::of_number(field.number().into()),
            7 => start = field.number(),
            8 => end = field.number(),
            9 => push_attribute(&mut attributes, field, intake)?,
            10 => add(&mut dropped, 0, field),
            11 if intake.has_room(events.len()) => {
                intake.count()?;
                events.push(event(field.bytes(), intake)?);
            }
            11 => add(&mut dropped, 1, Field::Varint(1)),
            12 => add(&mut dropped, 1, field),
            13 if intake.has_room(links.len()) => {
                intake.count()?;
                links.extend(link(field.bytes(), intake)?);
            }
            13 => add(&mut dropped, 2, Field::Varint(1)),
            14 => add(&mut dropped, 2, field),
            15 => {
                let mut fields = Fields::new(field.bytes());
                while let Some((number, field)) = fields.next()? {
                    match number {
                        2 => status_message = intake.text(&field.text()),
                        3 => status = status_code(field.number()),
                        _ => {}
                    }
                }
            }
            16 => flags = count(field),
            _ => {}
        }
    }
    let (Some(trace), Some(id)) = (trace, id) else { return Ok(None) };
    Ok(Some(Span {
        trace,
        id,
        parent,
        name,
        kind,
        start,
        end: Some(end),
        status,
        status_message,
        attributes: attributes.into(),
        events: events.into(),
        links: links.into(),
        trace_state,
        flags,
        dropped,
        resource: resource.clone(),
        scope: scope.clone(),
        segment: None,
    }))
}

fn add(dropped: &mut [u32; 3], which: usize, field: Field<'_>) {
    if let Some(count) = dropped.get_mut(which) {
        *count = count.saturating_add(self::count(field));
    }
}

fn count(field: Field<'_>) -> u32 {
    u32::try_from(field.number()).unwrap_or(u32::MAX)
}

fn status_code(number: u64) -> StatusCode {
    match number {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}

fn event(bytes: &[u8], intake: &mut Intake<'_>) -> Result<Event, DecodeError> {
    let mut event = Event { time: 0, name: Arc::default(), attributes: Box::default(), dropped: 0 };
    let mut attributes = Vec::new();
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => event.time = field.number(),
            2 => event.name = intake.name(&field.text()),
            3 => push_attribute(&mut attributes, field, intake)?,
            4 => event.dropped = count(field),
            _ => {}
        }
    }
    event.attributes = attributes.into();
    Ok(event)
}

/// Returns `None` for a link with an invalid id.
fn link(bytes: &[u8], intake: &mut Intake<'_>) -> Result<Option<Link>, DecodeError> {
    let (mut trace, mut span, mut attributes) = (None, None, Vec::new());
    let (mut trace_state, mut dropped, mut flags) = (Box::default(), 0, 0);
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => trace = TraceId::from_bytes(field.bytes()),
            2 => span = SpanId::from_bytes(field.bytes()),
            3 => trace_state = intake.text(&field.text()),
            4 => push_attribute(&mut attributes, field, intake)?,
            5 => dropped = count(field),
            6 => flags = count(field),
            _ => {}
        }
    }
    let attributes = attributes.into();
    Ok(trace.zip(span).map(|(trace, span)| Link { trace, span, attributes, trace_state, dropped, flags }))
}

/// Returns `None` for a line without a trace id.
fn log(
    bytes: &[u8],
    resource: &Arc<Resource>,
    now: Nanos,
    intake: &mut Intake<'_>,
) -> Result<Option<Log>, DecodeError> {
    let (mut time, mut observed, mut severity, mut severity_text) = (0, 0, 0, Box::default());
    let (mut body, mut attributes, mut trace, mut span) = (Value::Empty, Vec::new(), None, None);
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => time = field.number(),
            2 => severity = u8::try_from(field.number()).unwrap_or_default(),
            3 => severity_text = intake.text(&field.text()),
            5 => body = value(field.bytes(), 0, intake)?,
            6 => push_attribute(&mut attributes, field, intake)?,
            9 => trace = TraceId::from_bytes(field.bytes()),
            10 => span = SpanId::from_bytes(field.bytes()),
            11 => observed = field.number(),
            _ => {}
        }
    }
    let time = [time, observed, now].into_iter().find(|time| *time > 0).unwrap_or_default();
    Ok(trace.map(|trace| Log {
        trace,
        span,
        time,
        severity,
        severity_text,
        body,
        attributes: attributes.into(),
        resource: resource.clone(),
    }))
}

fn push_attribute(
    attributes: &mut Vec<Attribute>,
    field: Field<'_>,
    intake: &mut Intake<'_>,
) -> Result<(), DecodeError> {
    if intake.has_room(attributes.len()) {
        attributes.push(attribute(field.bytes(), 0, intake)?);
    }
    Ok(())
}

fn attribute(bytes: &[u8], depth: usize, intake: &mut Intake<'_>) -> Result<Attribute, DecodeError> {
    intake.count()?;
    let mut attribute = Attribute { key: Arc::default(), value: Value::Empty };
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => attribute.key = intake.name(&field.text()),
            2 => attribute.value = value(field.bytes(), depth, intake)?,
            _ => {}
        }
    }
    Ok(attribute)
}

/// The depth is bounded by [`MAX_DEPTH`]; what is deeper stays bytes.
fn value(bytes: &[u8], depth: usize, intake: &mut Intake<'_>) -> Result<Value, DecodeError> {
    let mut value_of = Value::Empty;
    let mut fields = Fields::new(bytes);
    while let Some((number, field)) = fields.next()? {
        value_of = match number {
            1 => Value::String(intake.text(&field.text())),
            2 => Value::Bool(field.number() != 0),
            3 => Value::Int(field.number().cast_signed()),
            4 => Value::Double(f64::from_bits(field.number())),
            5 | 6 if depth >= MAX_DEPTH => Value::Bytes(field.bytes().into()),
            5 => {
                let mut items = Vec::new();
                let mut fields = Fields::new(field.bytes());
                while let Some((number, field)) = fields.next()? {
                    if number == 1 && intake.has_room(items.len()) {
                        intake.count()?;
                        items.push(value(field.bytes(), depth + 1, intake)?);
                    }
                }
                Value::Array(items.into())
            }
            6 => {
                let mut items = Vec::new();
                let mut fields = Fields::new(field.bytes());
                while let Some((number, field)) = fields.next()? {
                    if number == 1 && intake.has_room(items.len()) {
                        items.push(attribute(field.bytes(), depth + 1, intake)?);
                    }
                }
                Value::Map(items.into())
            }
            7 => Value::Bytes(field.bytes().into()),
            _ => continue,
        };
    }
    Ok(value_of)
}
