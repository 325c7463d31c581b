//! Finds the trace context that the sender of a record put into it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use opentelemetry::trace::SpanContext;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{RecordFields, part};
use crate::propagation::trace_header::TraceHeader;
use crate::propagation::{span_context, traceparent};

/// The maximum length of a document in a record's data, in bytes. Longer data is not decoded.
const MAX_DATA: usize = 256 * 1024;
/// The maximum length of a header that is sent as bytes. Longer headers are invalid.
const MAX_HEADER: usize = 512;
/// `traceparent` in base64, at each of the three positions that a text can begin at.
const ENCODED_NAMES: [&str; 3] = ["dHJhY2VwYXJlbn", "RyYWNlcGFyZW50", "0cmFjZXBhcmVud"];
/// The names of the headers as they are usually written. A body without any of them is not parsed.
const NAMES: [&str; 3] = ["traceparent", "X-Amzn-Trace-Id", "AWSTraceHeader"];

/// The sender of a record: one context for each header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sender {
    traceparent: Option<SpanContext>,
    xray: Option<SpanContext>,
}

impl Sender {
    /// Finds the sender of a record, of a map of headers, or in a header. `json` is its JSON text.
    pub(crate) fn of_json(json: &str) -> Self {
        if let Ok(header) = serde_json::from_str::<String>(json) {
            return Self { traceparent: span_context(&header), xray: None };
        }
        let record: RecordFields<'_> = serde_json::from_str(json).unwrap_or_default();
        Self::of(&record).or_else(|| serde_json::from_str(json).unwrap_or_default())
    }

    fn of(record: &RecordFields<'_>) -> Self {
        let objects = [
            record.attributes,
            record.message_attributes,
            record.sns,
            record.headers,
            record.properties,
            record.basic_properties,
            record.detail,
        ];
        let found = objects.into_iter().flatten().fold(Self::default(), |found, object| found.or_else(|| of(object)));
        found
            .or_else(|| record.dynamodb.map(of_image).unwrap_or_default())
            .or_else(|| record.body.map(of_body).unwrap_or_default())
            .or_else(|| record.kinesis.and_then(of_kinesis).unwrap_or_default())
            .or_else(|| of_data(record.data).unwrap_or_default())
    }

    /// Returns the contexts that a span links to, at most one for each trace.
    pub(crate) fn links(self) -> impl Iterator<Item = SpanContext> + use<> {
        let xray = self.xray.as_ref().map(SpanContext::trace_id);
        let sent = self.traceparent.filter(|sent| Some(sent.trace_id()) != xray);
        self.xray.into_iter().chain(sent)
    }

    /// Returns the span that continues in the receiver.
    pub(crate) fn parent(&self) -> Option<&SpanContext> {
        self.traceparent.as_ref().or(self.xray.as_ref())
    }

    /// Adds the headers that are missing.
    fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        if self.traceparent.is_some() && self.xray.is_some() {
            return self;
        }
        let other = other();
        Self { traceparent: self.traceparent.or(other.traceparent), xray: self.xray.or(other.xray) }
    }
}

/// Returns the contexts of a record, at most one for each trace.
pub(super) fn contexts(record: &RecordFields<'_>) -> impl Iterator<Item = SpanContext> + use<> {
    Sender::of(record).links()
}

/// Returns the contexts that the sender of an EventBridge event put into its detail.
pub(super) fn of_detail(detail: Option<&RawValue>) -> impl Iterator<Item = SpanContext> + use<> {
    detail.map(of).unwrap_or_default().links()
}

fn of(object: &RawValue) -> Sender {
    part(Some(object)).unwrap_or_default()
}

/// Reads the headers among the members of an object or of each object in a list. Names are case-insensitive. Also
/// reads the members that contain headers or attributes.
impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SenderVisitor)
    }
}

/// What a member of an object is to a [`Sender`].
enum Member {
    Traceparent,
    Xray,
    /// A member that contains headers or attributes.
    Container,
    Other,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Member;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                Ok(match name {
                    "MessageAttributes" | "custom" | "detail" | "headers" => Member::Container,
                    name if name.eq_ignore_ascii_case("traceparent") => Member::Traceparent,
                    name if name.eq_ignore_ascii_case("X-Amzn-Trace-Id") => Member::Xray,
                    name if name.eq_ignore_ascii_case("AWSTraceHeader") => Member::Xray,
                    _ => Member::Other,
                })
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

struct SenderVisitor;

impl<'de> Visitor<'de> for SenderVisitor {
    type Value = Sender;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sender, A::Error> {
        let mut found = Sender::default();
        while let Some(member) = map.next_key()? {
            match member {
                Member::Traceparent => {
                    let context = header(&map.next_value()?).and_then(|text| traceparent::parse(&text));
                    found.traceparent = found.traceparent.or(context);
                }
                Member::Xray => {
                    let text = header(&map.next_value()?);
                    let context = text.and_then(|text| TraceHeader::parse(&text)?.span_context());
                    found.xray = found.xray.or(context);
                }
                Member::Container => {
                    let inner: Self::Value = map.next_value()?;
                    found = found.or_else(|| inner);
                }
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sender, A::Error> {
        let mut found = Sender::default();
        while let Some(inner) = list.next_element::<Sender>()? {
            found = found.or_else(|| inner);
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sender, E> {
        Ok(Sender::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sender, E> {
        Ok(Sender::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sender, E> {
        Ok(Sender::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sender, E> {
        Ok(Sender::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Sender, E> {
        Ok(Sender::default())
    }

    fn visit_unit<E>(self) -> Result<Sender, E> {
        Ok(Sender::default())
    }
}

/// Returns the text of a header: a text, a message attribute, a list of one text, or bytes. Java sends signed bytes.
fn header(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => match list.as_slice() {
            [Value::String(text)] => Some(text.clone()),
            bytes if bytes.len() <= MAX_HEADER => {
                // Both headers are ASCII, so a negative byte is invalid.
                let bytes: Option<Vec<u8>> = bytes.iter().map(|byte| u8::try_from(byte.as_i64()?).ok()).collect();
                String::from_utf8(bytes?).ok()
            }
            _ => None,
        },
        Value::Object(attribute) => {
            // Of SQS, SNS, DynamoDB and RabbitMQ.
            let text = ["stringValue", "Value", "S"].into_iter().find_map(|member| attribute.get(member)?.as_str());
            text.map(str::to_owned).or_else(|| attribute.get("bytes").filter(|bytes| bytes.is_array()).and_then(header))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Returns the contexts of a notification of SNS, an event of EventBridge or another object that was sent as a body.
fn of_body(body: &RawValue) -> Sender {
    // Most bodies have no context and are not parsed.
    if !NAMES.iter().any(|name| memmem::find(body.get().as_bytes(), name.as_bytes()).is_some()) {
        return Sender::default();
    }
    let body: Option<String> = part(Some(body));
    body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default()
}

fn of_kinesis(kinesis: &RawValue) -> Option<Sender> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }

    let kinesis: Data<'_> = serde_json::from_str(kinesis.get()).ok()?;
    of_data(kinesis.data)
}

/// Returns the contexts of a JSON object in base64.
fn of_data(data: Option<&RawValue>) -> Option<Sender> {
    let encoded = data?.get();
    // Most data has no context and is not decoded.
    let found = |name: &&str| memmem::find(encoded.as_bytes(), name.as_bytes()).is_some();
    if encoded.len() > MAX_DATA / 3 * 4 || !ENCODED_NAMES.iter().any(found) {
        return None;
    }
    let encoded: String = part(data)?;
    serde_json::from_slice(&STANDARD.decode(encoded).ok()?).ok()
}

/// Returns the context of the writer of an item: a header of either kind in its attribute `trace_context`.
fn of_image(change: &RawValue) -> Sender {
    #[derive(Deserialize)]
    struct StreamChange<'a> {
        #[serde(borrow, rename = "NewImage")]
        new_image: Option<&'a RawValue>,
    }

    #[derive(Deserialize)]
    struct Image {
        trace_context: Value,
    }

    let writer = || {
        let change: StreamChange<'_> = serde_json::from_str(change.get()).ok()?;
        span_context(&header(&part::<Image>(change.new_image)?.trace_context)?)
    };
    Sender { traceparent: writer(), xray: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const HEADER: &str = "Root=1-6925a3f0-000000000000000000000001;Parent=00000000000000a1;Sampled=0";
    const TRACEPARENT: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-true";
    const XRAY: &str = "6925a3f0000000000000000000000001-00000000000000a1-false";

    /// Trace id, span id and sampling of each link of a record.
    fn links(record: &Value) -> Vec<String> {
        let described =
            |context: SpanContext| format!("{}-{}-{}", context.trace_id(), context.span_id(), context.is_sampled());
        Sender::of_json(&record.to_string()).links().map(described).collect()
    }

    fn bytes(text: &str) -> Value {
        text.bytes().collect()
    }

    fn base64(document: &Value) -> String {
        STANDARD.encode(document.to_string())
    }

    #[test]
    fn either_header_is_found_in_a_record_of_each_service() {
        for (names, header, link) in [
            (["traceparent", "TraceParent"], PARENT, TRACEPARENT),
            (["X-Amzn-Trace-Id", "AWSTraceHeader"], HEADER, XRAY),
        ] {
            for name in names {
                let attribute = json!({ name: { "dataType": "String", "stringValue": header } });
                let notification = json!({ "MessageAttributes": { name: { "Type": "String", "Value": header } } });
                let event = json!({ "source": "shop", "detail": { name: header } });
                for record in [
                    json!({ "messageId": "1", "messageAttributes": attribute }),
                    json!({ "EventSource": "aws:sns", "Sns": notification }),
                    json!({ "topic": "orders", "headers": [{ "a": [1, -2] }, { name: bytes(header) }] }),
                    json!({ "messageID": "1", "data": "e30=", "properties": { name: header } }),
                    json!({ "basicProperties": { "headers": { "n": 10, name: { "bytes": bytes(header) } } } }),
                    json!({ "basicProperties": { "headers": { name: header } } }),
                    event.clone(),
                    json!({ name: header }),
                    json!({ "headers": { name: [header] } }),
                    json!({ "custom": { name: header } }),
                    Value::from(header),
                ] {
                    assert_eq!(links(&record), [link], "{record}");
                }
                if !["TraceParent"].contains(&name) {
                    for body in [notification, event, json!({ name: header })] {
                        assert_eq!(links(&json!({ "body": body.to_string() })), [link], "{body}");
                    }
                }
            }
            let image = json!({ "pk": { "S": "1" }, "trace_context": { "S": header } });
            let record = json!({ "eventName": "INSERT", "dynamodb": { "NewImage": image } });
            assert_eq!(links(&record).len(), 1, "{record}");
            assert!(links(&record)[0].contains(&link[..32]));
        }
        let passed_on = json!({ "attributes": { "AWSTraceHeader": HEADER }, "body": "{}" });
        assert_eq!(links(&passed_on), [XRAY]);
    }

    #[test]
    fn context_is_found_in_the_data_of_a_stream() {
        for document in [
            json!({ "traceparent": PARENT }),
            json!({ "a": "traceparent", "traceparent": PARENT }),
            json!({ "id": 7, "traceparent": PARENT, "X-Amzn-Trace-Id": 1 }),
            json!({ "ab": 1, "detail": { "x": [1], "traceparent": PARENT } }),
        ] {
            let data = base64(&document);
            assert_eq!(links(&json!({ "kinesis": { "data": data } })), [TRACEPARENT], "{document}");
            assert_eq!(links(&json!({ "eventSource": "aws:kinesis", "data": data })), [TRACEPARENT], "{document}");
        }
        let padding = |length| json!({ "kinesis": { "data": base64(&json!({ "traceparent": PARENT, "x": "y".repeat(length) })) } });
        assert_eq!(links(&padding(200 * 1024)), [TRACEPARENT]);
        assert_eq!(links(&padding(256 * 1024)), [""; 0]);
        for text in ["traceparent", "[\"traceparent\"]", "{\"traceparent\"", "\"traceparent\""] {
            assert_eq!(links(&json!({ "kinesis": { "data": STANDARD.encode(text) } })), [""; 0], "{text}");
        }
    }

    #[test]
    fn data_is_decoded_if_it_contains_the_word_at_any_position() {
        for before in ["", "a", "ab", "abc"] {
            let encoded = STANDARD.encode(format!("{before}traceparent\""));
            assert!(ENCODED_NAMES.iter().any(|name| encoded.contains(name)), "{encoded}");
        }
    }

    #[test]
    fn record_links_to_each_trace_once() {
        let both = |header: &str| {
            let attribute = json!({ "stringValue": PARENT });
            json!({ "attributes": { "AWSTraceHeader": header }, "messageAttributes": { "traceparent": attribute } })
        };
        assert_eq!(links(&both(HEADER)), [XRAY, TRACEPARENT]);
        let same = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00000000000000a1;Sampled=1";
        assert_eq!(links(&both(same)), ["4bf92f3577b34da6a3ce929d0e0e4736-00000000000000a1-true"]);
        assert_eq!(links(&both("Root=1-6925a3f0-000000000000000000000001")), [TRACEPARENT]);
        let parent = Sender::of_json(&both(HEADER).to_string()).parent().map(SpanContext::span_id);
        assert_eq!(parent.map(|id| id.to_string()).as_deref(), Some("00f067aa0ba902b7"));
    }

    #[test]
    fn malformed_record_has_no_sender() {
        for record in [
            Value::Null,
            json!(true),
            json!(7),
            json!([]),
            json!({ "traceparent": { "bytes": { "bytes": [1] } } }),
            json!({ "traceparent": vec![48; 600] }),
            json!({ "traceparent": [48, 256, "x"] }),
            json!({ "traceparent": ["00", "01"] }),
            json!({ "headers": "traceparent", "detail": [[1.5]], "attributes": { "AWSTraceHeader": null } }),
            json!({ "body": "\"traceparent\"", "messageAttributes": [] }),
            json!({ "body": { "traceparent": PARENT } }),
            json!({ "dynamodb": { "OldImage": { "trace_context": { "S": PARENT } } } }),
            json!({ "nested": { "traceparent": PARENT } }),
            json!("traceparent"),
        ] {
            assert_eq!(links(&record), [""; 0], "{record}");
        }
        assert!(Sender::of_json("{").parent().is_none());
    }
}
