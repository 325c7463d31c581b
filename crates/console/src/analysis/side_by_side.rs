//! One span as X-Ray got it and as Honeycomb got it, member by member.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::otlp_export;
use super::xray::documents::ParsedDocuments;
use crate::json::Value as JsonValue;
use crate::model::ids::SpanId;
use crate::model::span::{Span, StatusCode};
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};

/// The members of an X-Ray document, and the attributes that they are made of.
const PLACES: [(&str, &[&str]); 22] = [
    ("http.request.method", &["http.request.method", "http.method"]),
    ("http.request.url", &["url.full", "http.url"]),
    ("http.request.user_agent", &["user_agent.original", "http.user_agent"]),
    ("http.request.client_ip", &["client.address", "http.client_ip"]),
    ("http.response.status", &["http.response.status_code", "http.status_code"]),
    ("http.response.content_length", &["http.response.body.size", "http.response_content_length"]),
    ("aws.account_id", &["cloud.account.id"]),
    ("aws.region", &["cloud.region", "aws.region"]),
    ("aws.request_id", &["aws.request_id", "faas.invocation_id"]),
    ("aws.function_arn", &["aws.lambda.invoked_arn", "cloud.resource_id"]),
    ("aws.queue_url", &["aws.sqs.queue.url", "aws.queue_url"]),
    ("aws.table_names", &["aws.dynamodb.table_names"]),
    ("aws.table_name", &["aws.dynamodb.table_names", "db.collection.name", "aws.table_name"]),
    ("aws.operation", &["rpc.method"]),
    ("aws.retries", &["aws.sdk.attempts"]),
    ("sql.database_type", &["db.system.name", "db.system"]),
    ("sql.sanitized_query", &["db.query.text", "db.statement"]),
    ("sql.user", &["db.user"]),
    ("user", &["user.id", "enduser.id"]),
    ("error", &["error.type"]),
    ("fault", &["error.type"]),
    ("throttle", &["error.type"]),
];
/// The attributes that X-Ray has as one URL.
const URL_PARTS: [&str; 4] = ["url.scheme", "server.address", "server.port", "url.path"];

/// The view of a span.
#[derive(Debug, Serialize)]
pub(crate) struct SideBySide {
    otlp: Option<serde_json::Value>,
    xray: Option<Box<RawValue>>,
    rows: Vec<Row>,
}

/// A member of the span.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    name: String,
    otlp: Option<String>,
    xray: Option<String>,
    xray_place: Option<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Both,
    OtlpOnly,
    XrayOnly,
    Differs,
}

/// The members of a document.
struct Members {
    /// The text of each, by its place.
    all: BTreeMap<String, String>,
    /// Whether it describes a call of an AWS service.
    is_aws_call: bool,
    /// Where the URL is that the parts of a URL became.
    url: Option<&'static str>,
}

impl SideBySide {
    /// Returns the view of a span.
    pub(crate) fn new(trace: &Trace, id: SpanId) -> Option<Self> {
        let sides = trace.span(id)?;
        let parsed = ParsedDocuments::of(trace);
        let segment = sides.xray().and_then(|span| span.segment.as_deref());
        let part = segment.and_then(|segment| parsed.part(segment));
        Some(Self {
            otlp: sides.otlp().map(|span| otlp_export::span(span)),
            xray: part.and_then(|part| RawValue::from_string(part.raw().to_owned()).ok()),
            rows: rows(sides, part),
        })
    }
}

fn rows(sides: &Sides, part: Option<JsonValue<'_, '_>>) -> Vec<Row> {
    let mut rows = Vec::new();
    match (sides.otlp(), sides.xray(), part) {
        (Some(otlp), Some(xray), Some(part)) => against_document(otlp, xray, part, &mut rows),
        // In OTLP for X-Ray, both sides are of the same form.
        (Some(otlp), Some(xray), None) => against_span(otlp, xray, &mut rows),
        (Some(otlp), None, _) => {
            for (name, value) in intrinsics(otlp).into_iter().chain(attributes(&otlp.attributes)) {
                rows.push(Row { name, otlp: Some(value), xray: None, xray_place: None, state: State::OtlpOnly });
            }
        }
        (None, _, Some(part)) => rest(Members::of(part), &mut rows),
        (None, Some(xray), None) => {
            for (name, value) in intrinsics(xray).into_iter().chain(attributes(&xray.attributes)) {
                rows.push(Row { name, otlp: None, xray: Some(value), xray_place: None, state: State::XrayOnly });
            }
        }
        (None, None, None) => {}
    }
    rows
}

/// Members that are not attributes, under the names of OTLP.
fn intrinsics(span: &Span) -> Vec<(String, String)> {
    let status = match span.status {
        StatusCode::Unset => "",
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
    };
    let all = [
        ("name", span.name.to_string()),
        ("parentSpanId", span.parent.map(|parent| parent.to_string()).unwrap_or_default()),
        ("kind", span.kind.name().to_owned()),
        ("startTimeUnixNano", span.start.to_string()),
        ("endTimeUnixNano", span.end.map(|end| end.to_string()).unwrap_or_default()),
        ("status.code", status.to_owned()),
        ("status.message", span.status_message.to_string()),
        ("traceState", span.trace_state.to_string()),
    ];
    let set = all.into_iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn attributes(attributes: &[Attribute]) -> impl Iterator<Item = (String, String)> {
    attributes.iter().map(|attribute| (attribute.key.to_string(), attribute.value.text().into_owned()))
}

fn against_span(otlp: &Span, xray: &Span, rows: &mut Vec<Row>) {
    let members = |span: &Span| {
        intrinsics(span).into_iter().chain(attributes(&span.attributes)).collect::<BTreeMap<String, String>>()
    };
    let (otlp, mut xray) = (members(otlp), members(xray));
    for (name, value) in otlp {
        let found = xray.remove(&name);
        rows.push(row(name.clone(), value, found.map(|found| (name, found))));
    }
    for (name, value) in xray {
        let place = Some(name.clone());
        rows.push(Row { name, otlp: None, xray: Some(value), xray_place: place, state: State::XrayOnly });
    }
}

fn against_document(otlp: &Span, xray: &Span, part: JsonValue<'_, '_>, rows: &mut Vec<Row>) {
    let mut members = Members::of(part);
    for (name, value) in intrinsics(otlp) {
        // A nested subsegment inherits its parent.
        let found = if name == "parentSpanId" {
            members.take("parent_id");
            xray.parent.map(|parent| ("parent_id".to_owned(), parent.to_string()))
        } else {
            members.take_intrinsic(&name, otlp, &value)
        };
        rows.push(row(name, value, found));
    }
    for attribute in &otlp.attributes {
        let (name, value) = (attribute.key.to_string(), attribute.value.text().into_owned());
        let found = members.take_attribute(&name, &attribute.value, otlp);
        rows.push(row(name, value, found));
    }
    for (index, event) in otlp.events.iter().enumerate() {
        let place = members.event_place(&event.name);
        let found = place.map(|place| (place, event.name.to_string()));
        rows.push(row(format!("events.{index}"), event.name.to_string(), found));
    }
    for (index, link) in otlp.links.iter().enumerate() {
        let value = format!("{} {}", link.trace, link.span);
        let places = [format!("links.{index}"), format!("metadata.lambda_spans.links.{index}")];
        let found = places.into_iter().find(|place| members.remove_below(place));
        rows.push(row(format!("links.{index}"), value.clone(), found.map(|place| (place, value))));
    }
    // The parts of the URL are rows already.
    if let Some(url) = members.url {
        members.take(url);
    }
    rest(members, rows);
}

fn row(name: String, otlp: String, found: Option<(String, String)>) -> Row {
    let Some((place, xray)) = found else {
        return Row { name, otlp: Some(otlp), xray: None, xray_place: None, state: State::OtlpOnly };
    };
    let state = if same(&otlp, &xray) { State::Both } else { State::Differs };
    Row { name, otlp: Some(otlp), xray: Some(xray), xray_place: Some(place), state }
}

/// Numbers are compared as numbers.
fn same(one: &str, other: &str) -> bool {
    #[expect(clippy::float_cmp, reason = "both were written from the same number")]
    let numbers = || one.parse::<f64>().ok().zip(other.parse::<f64>().ok()).is_some_and(|(one, other)| one == other);
    one == other || numbers()
}

/// Adds what only the document has.
fn rest(members: Members, rows: &mut Vec<Row>) {
    for (place, value) in members.all {
        let name = place.clone();
        rows.push(Row { name, otlp: None, xray: Some(value), xray_place: Some(place), state: State::XrayOnly });
    }
}

impl Members {
    /// Flattens a document; nested subsegments are spans of their own.
    fn of(part: JsonValue<'_, '_>) -> Self {
        let mut members = BTreeMap::new();
        let mut open = vec![(String::new(), part)];
        while let Some((place, value)) = open.pop() {
            let is_container = value.is_object() || value.is_array();
            // A value of a namespace is one attribute, whatever its type.
            let is_attribute = place.starts_with("metadata.default.") || place.starts_with("annotations.");
            if !is_container || is_attribute {
                if !value.is_null() {
                    members.insert(place, Value::of_json(value, 0).text().into_owned());
                }
                continue;
            }
            for (index, child) in value.children().enumerate() {
                let key = if value.is_array() { index.to_string() } else { child.key().to_owned() };
                if !(place.is_empty() && key == "subsegments") {
                    open.push((if place.is_empty() { key } else { format!("{place}.{key}") }, child));
                }
            }
        }
        // Both sides have the same ids.
        members.remove("id");
        members.remove("trace_id");
        let is_aws_call = members.get("namespace").is_some_and(|namespace| namespace == "aws");
        Self { all: members, is_aws_call, url: None }
    }

    fn take(&mut self, place: &str) -> Option<(String, String)> {
        self.all.remove_entry(place)
    }

    fn remove_below(&mut self, place: &str) -> bool {
        let before = self.all.len();
        let prefix = format!("{place}.");
        self.all.retain(|known, _| known != place && !known.starts_with(&prefix));
        self.all.len() < before
    }

    fn take_intrinsic(&mut self, name: &str, otlp: &Span, value: &str) -> Option<(String, String)> {
        match name {
            "name" => self.take("metadata.lambda_spans.span.name").or_else(|| {
                let (place, found) = self.take("name")?;
                // X-Ray stores the operation of an AWS call in a separate member.
                let operation = self.all.get("aws.operation").map(String::as_str).unwrap_or_default();
                let is_whole = self.is_aws_call && value == format!("{found}.{operation}");
                Some((place, if is_whole { value.to_owned() } else { found }))
            }),
            // The namespace says that it is a call.
            "kind" if matches!(value, "client" | "producer") => {
                self.take("namespace").map(|(place, _)| (place, value.to_owned()))
            }
            "startTimeUnixNano" => self.take_time("start_time", otlp.start, value),
            "endTimeUnixNano" => self.take_time("end_time", otlp.end.unwrap_or_default(), value),
            "status.code" => {
                let place = ["fault", "error", "throttle"].into_iter().find(|place| self.all.contains_key(*place))?;
                // The flag is X-Ray's form of the status.
                self.take(place).map(|(place, _)| (place, value.to_owned()))
            }
            "status.message" => {
                self.take("metadata.lambda_spans.span.status").or_else(|| self.take("cause.exceptions.0.message"))
            }
            _ => None,
        }
    }

    /// X-Ray's times are floating point numbers, which keep less than a microsecond.
    fn take_time(&mut self, place: &str, nanos: u64, value: &str) -> Option<(String, String)> {
        let (place, text) = self.take(place)?;
        let found = crate::json::decimal(&text, 9).unwrap_or_default();
        let is_same = (found - i128::from(nanos)).abs() < 1000;
        Some((place, if is_same { value.to_owned() } else { found.to_string() }))
    }

    fn take_attribute(&mut self, name: &str, value: &Value, otlp: &Span) -> Option<(String, String)> {
        for place in [format!("annotations.{}", annotation_key(name)), format!("metadata.default.{name}")] {
            if let Some(found) = self.take(&place) {
                return Some(found);
            }
        }
        let text = value.text();
        let places = PLACES.iter().filter(|(_, keys)| keys.contains(&name)).map(|(place, _)| *place);
        for place in places {
            // A list is flattened.
            if let Value::Array(items) = value
                && self.remove_below(place)
            {
                if place == "aws.table_names" {
                    // The first one again.
                    self.take("aws.table_name");
                }
                let is_one = !place.ends_with('s');
                let first = items.first().map(Value::text).unwrap_or_default();
                return Some((place.to_owned(), if is_one { first.into_owned() } else { text.into_owned() }));
            }
            let Some((place, found)) = self.take(place) else { continue };
            let matches = match place.as_str() {
                // The service is the name of the document.
                "aws.operation" => text.rsplit('/').next() == Some(found.as_str()),
                "aws.retries" => found.parse::<i64>().ok().map(|retries| retries + 1) == value.integer(),
                "error" | "fault" | "throttle" => true,
                _ => false,
            };
            return Some((place, if matches { text.into_owned() } else { found }));
        }
        if name == "rpc.system.name" && text == "aws-api" && self.is_aws_call {
            return Some(("namespace".to_owned(), text.into_owned()));
        }
        if URL_PARTS.contains(&name) && otlp.attribute(&["url.full"]).is_none() {
            let contains = |place: &&str| self.all.get(*place).is_some_and(|url| url.contains(&*text));
            let place = ["http.request.url", "sql.url"].into_iter().find(contains)?;
            self.url = Some(place);
            return Some((place.to_owned(), text.into_owned()));
        }
        None
    }

    /// An exception becomes the cause, another event metadata.
    fn event_place(&mut self, name: &str) -> Option<String> {
        if name == "exception" {
            let mut indexes = self.all.keys().filter_map(|place| place.strip_prefix("cause.exceptions."));
            let index = indexes.next().and_then(|rest| rest.split('.').next()).map(str::to_owned);
            if let Some(index) = index {
                let place = format!("cause.exceptions.{index}");
                self.remove_below(&place);
                return Some(place);
            }
        }
        let of_name = self.all.iter().find(|(place, text)| {
            place.starts_with("metadata.lambda_spans.events.") && place.ends_with(".name") && text.as_str() == name
        });
        let place = of_name.and_then(|(place, _)| place.strip_suffix(".name")).map(str::to_owned)?;
        self.remove_below(&place);
        Some(place)
    }
}

fn annotation_key(key: &str) -> String {
    key.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tree::tests::span;
    use crate::json::Json;
    use crate::model::span::{Event, Kind};

    fn compared(otlp: &Span, document: &str) -> Vec<(String, State, Option<String>)> {
        let json = Json::parse(document).unwrap();
        let mut rows = Vec::new();
        against_document(otlp, &Span { parent: None, ..otlp.clone() }, json.root(), &mut rows);
        rows.into_iter().map(|row| (row.name, row.state, row.xray_place)).collect()
    }

    fn row(name: &str, state: State, place: &str) -> (String, State, Option<String>) {
        (name.to_owned(), state, (!place.is_empty()).then(|| place.to_owned()))
    }

    #[test]
    fn call_of_a_service_is_complete_on_both_sides() {
        let text = |key: &str, value: &str| Attribute::new(key, Value::from(value));
        let tables = Value::Array(Box::new([Value::from("posts")]));
        let otlp = Span {
            name: "DynamoDB.Query".into(),
            kind: Kind::Client,
            attributes: Box::new([
                text("rpc.system.name", "aws-api"),
                text("rpc.method", "DynamoDB/Query"),
                Attribute::new("aws.dynamodb.table_names", tables),
                Attribute::new("aws.sdk.attempts", Value::Int(3)),
                text("app.shard", "7"),
            ]),
            ..span(1, 0, 1_000_000_100, 2_000_000_000)
        };
        let document = r#"{"name":"DynamoDB","id":"0000000000000001","start_time":1.0,"end_time":2,"namespace":"aws","aws":{"operation":"Query","table_name":"posts","table_names":["posts"],"retries":2},"annotations":{"app_shard":"7"}}"#;
        let expected = [
            row("name", State::Both, "name"),
            row("kind", State::Both, "namespace"),
            row("startTimeUnixNano", State::Both, "start_time"),
            row("endTimeUnixNano", State::Both, "end_time"),
            row("rpc.system.name", State::Both, "namespace"),
            row("rpc.method", State::Both, "aws.operation"),
            row("aws.dynamodb.table_names", State::Both, "aws.table_names"),
            row("aws.sdk.attempts", State::Both, "aws.retries"),
            row("app.shard", State::Both, "annotations.app_shard"),
        ];
        assert_eq!(compared(&otlp, document), expected);
    }

    #[test]
    fn url_and_exceptions_are_found_in_x_rays_form() {
        let text = |key: &str, value: &str| Attribute::new(key, Value::from(value));
        let event = |name: &str| Event { time: 0, name: name.into(), attributes: Box::default(), dropped: 0 };
        let otlp = Span {
            status: StatusCode::Error,
            attributes: Box::new([text("url.path", "/a"), text("url.scheme", "https"), text("lost", "x")]),
            events: Box::new([event("retry"), event("exception"), event("gone")]),
            ..span(1, 0, 1_000_000_000, 2_000_000_000)
        };
        let document = r#"{"name":"span 1","start_time":1,"end_time":3,"fault":true,"http":{"request":{"url":"https://h/a"}},"cause":{"exceptions":[{"id":"0000000000000002","message":"m"}]},"metadata":{"lambda_spans":{"events":[{"name":"retry","time":1}]}}}"#;
        let expected = [
            row("name", State::Both, "name"),
            row("kind", State::OtlpOnly, ""),
            row("startTimeUnixNano", State::Both, "start_time"),
            row("endTimeUnixNano", State::Differs, "end_time"),
            row("status.code", State::Both, "fault"),
            row("url.path", State::Both, "http.request.url"),
            row("url.scheme", State::Both, "http.request.url"),
            row("lost", State::OtlpOnly, ""),
            row("events.0", State::Both, "metadata.lambda_spans.events.0"),
            row("events.1", State::Both, "cause.exceptions.0"),
            row("events.2", State::OtlpOnly, ""),
        ];
        assert_eq!(compared(&otlp, document), expected);
    }
}
