//! X-Ray's documentation of a segment document as code, written independently of the translator.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// JSON without duplicate keys in objects.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Yes(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn get(&self, key: &str) -> Option<&Json> {
        self.members().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn members(&self) -> &[(String, Json)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    fn has_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(values) => values.iter().any(Self::has_null),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_null()),
            Self::Yes(_) | Self::Number(_) | Self::Text(_) => false,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Yes(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            if members.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
            members.push((key, value));
        }
        Ok(Json::Object(members))
    }
}

/// Returns everything that is wrong with a datagram.
pub(super) fn faults(datagram: &[u8]) -> Vec<String> {
    let mut faults = Faults(Vec::new());
    let Some(document) = datagram.strip_prefix(b"{\"format\": \"json\", \"version\": 1}\n") else {
        return vec!["it has no header".to_owned()];
    };
    faults.unless(document.len() <= 64 * 1024, || format!("{} bytes are too many", document.len()));
    faults.unless(datagram.len() <= 65_507, || "UDP does not carry it".to_owned());
    match serde_json::from_slice(document) {
        Ok(document) => faults.of_document(&document, false),
        Err(error) => faults.0.push(error.to_string()),
    }
    faults.0
}

struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.0.push(problem());
        }
    }

    /// `inside` says that the document is in the `subsegments` of another.
    fn of_document(&mut self, document: &Json, inside: bool) {
        self.unless(matches!(document, Json::Object(_)), || "it is no object".to_owned());
        self.unless(!document.has_null(), || "null".to_owned());
        let known = [
            "annotations",
            "aws",
            "cause",
            "cloudwatch_logs",
            "end_time",
            "error",
            "fault",
            "http",
            "id",
            "in_progress",
            "links",
            "metadata",
            "name",
            "namespace",
            "origin",
            "parent_id",
            "service",
            "sql",
            "start_time",
            "subsegments",
            "throttle",
            "trace_id",
            "type",
            "user",
        ];
        self.only(document, &known);
        self.of_place(document, inside);
        self.of_times(document);
        if let Some(subsegments) = document.get("subsegments") {
            let Json::List(subsegments) = subsegments else { return self.0.push("subsegments are no list".to_owned()) };
            self.unless(!subsegments.is_empty(), || "no subsegments".to_owned());
            subsegments.iter().for_each(|subsegment| self.of_document(subsegment, true));
        }
        let flags = ["fault", "error", "throttle"];
        for flag in flags {
            self.unless(matches!(document.get(flag), None | Some(Json::Yes(true))), || flag.to_owned());
        }
        if let Some(cause) = document.get("cause") {
            self.unless(flags.iter().any(|flag| document.get(flag).is_some()), || "a cause of no failure".to_owned());
            self.of_cause(cause);
        }
        if let Some(annotations) = document.get("annotations") {
            self.of_annotations(annotations);
        }
        let is_segment = !inside && document.get("type").is_none();
        for (block, members) in
            [("metadata", None), ("sql", Some(&SQL[..])), ("http", Some(&HTTP)), ("aws", Some(&AWS))]
        {
            if let Some(value) = document.get(block) {
                self.unless(!value.members().is_empty(), || format!("{block} is empty or no object"));
                members.into_iter().for_each(|members| self.only(value, members));
            }
        }
        for (namespace, value) in document.get("metadata").map_or(&[][..], Json::members) {
            self.unless(!value.members().is_empty(), || format!("the namespace {namespace:?} is empty or no object"));
        }
        if let Some(links) = document.get("links") {
            self.unless(is_segment, || "links of a subsegment".to_owned());
            self.of_links(links);
        }
        if let Some(http) = document.get("http") {
            self.of_http(http, is_segment);
        }
        if let Some(sql) = document.get("sql") {
            self.unless(!is_segment, || "sql on a segment".to_owned());
            self.texts(sql, 2000);
        }
        if let Some(aws) = document.get("aws") {
            self.of_aws(aws, document);
        }
    }

    fn of_place(&mut self, document: &Json, inside: bool) {
        let name = document.get("name").and_then(Json::text).unwrap_or_default();
        let most = if inside || document.get("type").is_some() { 250 } else { 200 };
        self.unless((1..=most).contains(&name.chars().count()), || format!("the name {name:?} is too short or long"));
        let allowed = |character: char| character.is_alphanumeric() || r"_.:/%&#=+\-@ ".contains(character);
        self.unless(name.chars().all(allowed), || format!("the name {name:?} has other characters"));
        self.id(document.get("id"), "id");
        let namespace = document.get("namespace").map(Json::text);
        self.unless(matches!(namespace, None | Some(Some("aws" | "remote"))), || format!("namespace {namespace:?}"));
        if inside {
            // A nested document inherits these.
            let own = ["type", "trace_id", "parent_id", "origin", "in_progress"];
            return self.unless(own.iter().all(|key| document.get(key).is_none()), || {
                "fields that only the outermost document has".to_owned()
            });
        }
        self.trace_id(document.get("trace_id"));
        match document.get("type") {
            None => {
                self.unless(document.get("namespace").is_none(), || "a namespace on a segment".to_owned());
                self.unless(document.get("parent_id").is_none(), || "a parent of a segment".to_owned());
            }
            Some(kind) => {
                self.unless(kind.text() == Some("subsegment"), || format!("type {kind:?}"));
                self.id(document.get("parent_id"), "parent_id");
                self.unless(document.get("origin").is_none(), || "the origin of a subsegment".to_owned());
            }
        }
    }

    /// As the OpenTelemetry Collector's exporter writes them.
    fn of_links(&mut self, links: &Json) {
        let Json::List(links) = links else { return self.0.push("links are no list".to_owned()) };
        self.unless(!links.is_empty(), || "no links".to_owned());
        for link in links {
            self.only(link, &["trace_id", "id", "attributes"]);
            self.trace_id(link.get("trace_id"));
            let id = link.get("id").and_then(Json::text).unwrap_or_default();
            self.unless(is_hex(id, 16), || format!("the id of a link is {id:?}"));
            let attributes = link.get("attributes");
            let valid = attributes.is_none_or(|attributes| !attributes.members().is_empty());
            self.unless(valid, || format!("the attributes of a link are {attributes:?}"));
        }
    }

    fn of_times(&mut self, document: &Json) {
        let start = document.get("start_time").and_then(Json::number);
        let end = document.get("end_time").and_then(Json::number);
        self.unless(start.is_some_and(|start| start >= 0.0), || "start_time".to_owned());
        match document.get("in_progress") {
            None => self.unless(end >= start && end.is_some(), || format!("end_time {end:?} after {start:?}")),
            Some(in_progress) => {
                self.unless(*in_progress == Json::Yes(true), || "in_progress".to_owned());
                self.unless(document.get("end_time").is_none(), || "in progress and ended".to_owned());
            }
        }
    }

    fn of_cause(&mut self, cause: &Json) {
        self.only(cause, &["working_directory", "paths", "exceptions"]);
        let Some(Json::List(exceptions)) = cause.get("exceptions") else {
            return self.0.push("a cause without exceptions".to_owned());
        };
        let mut ids: Vec<_> = exceptions.iter().map(|exception| exception.get("id").and_then(Json::text)).collect();
        ids.sort_unstable();
        ids.dedup();
        self.unless(ids.len() == exceptions.len(), || "exceptions of one id".to_owned());
        for exception in exceptions {
            self.only(exception, &["id", "message", "type", "remote", "truncated", "skipped", "cause", "stack"]);
            self.id(exception.get("id"), "the id of an exception");
            let texts = [exception.get("message"), exception.get("type")];
            self.unless(texts.into_iter().flatten().all(|text| text.text().is_some()), || "no text".to_owned());
            if let Some(Json::List(stack)) = exception.get("stack") {
                stack.iter().for_each(|frame| self.only(frame, &["path", "line", "label"]));
            }
        }
    }

    fn of_annotations(&mut self, annotations: &Json) {
        let members = annotations.members();
        self.unless((1..=50).contains(&members.len()), || format!("{} annotations", members.len()));
        for (key, value) in members {
            let letters = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            self.unless(letters && (1..=500).contains(&key.len()), || format!("the annotation {key:?}"));
            let valid = match value {
                Json::Text(text) => text.chars().count() <= 1000,
                Json::Number(_) | Json::Yes(_) => true,
                Json::Null | Json::List(_) | Json::Object(_) => false,
            };
            self.unless(valid, || format!("the annotation {key:?} is {value:?}"));
        }
    }

    fn of_http(&mut self, http: &Json, is_segment: bool) {
        if let Some(request) = http.get("request") {
            self.only(request, &["method", "url", "user_agent", "client_ip", "x_forwarded_for", "traced"]);
            self.texts(request, 250);
            self.unless(is_segment || request.get("x_forwarded_for").is_none(), || "x_forwarded_for".to_owned());
            self.unless(!is_segment || request.get("traced").is_none(), || "traced".to_owned());
        }
        if let Some(response) = http.get("response") {
            self.only(response, &["status", "content_length"]);
            let status = response.get("status").and_then(Json::number);
            self.unless(status.is_none_or(|status| (100.0..600.0).contains(&status)), || format!("status {status:?}"));
            let length = response.get("content_length").and_then(Json::number);
            self.unless(length.is_none_or(|length| length >= 0.0), || format!("content_length {length:?}"));
        }
    }

    fn of_aws(&mut self, aws: &Json, document: &Json) {
        self.texts(aws, 250);
        if let Some(Json::List(tables)) = aws.get("table_names") {
            self.unless(tables.iter().all(|table| table.text().is_some()), || "table_names".to_owned());
        }
        let of_call = ["operation", "table_name", "table_names", "queue_url", "retries"];
        if of_call.iter().any(|key| aws.get(key).is_some()) {
            let namespace = document.get("namespace").and_then(Json::text);
            self.unless(namespace == Some("aws"), || "a call of AWS that is none".to_owned());
        }
    }

    fn only(&mut self, object: &Json, known: &[&str]) {
        for (key, _) in object.members() {
            self.unless(known.contains(&key.as_str()), || format!("{key:?} is not known here"));
        }
    }

    fn texts(&mut self, object: &Json, most: usize) {
        for (key, value) in object.members() {
            if let Json::Text(text) = value {
                self.unless(text.chars().count() <= most, || format!("{key:?} has {} bytes", text.len()));
            }
        }
    }

    fn trace_id(&mut self, id: Option<&Json>) {
        let trace: Vec<_> = id.and_then(Json::text).unwrap_or_default().split('-').collect();
        let valid = matches!(trace[..], ["1", time, unique] if is_hex(time, 8) && is_hex(unique, 24));
        self.unless(valid, || format!("trace_id {trace:?}"));
    }

    fn id(&mut self, id: Option<&Json>, what: &str) {
        let text = id.and_then(Json::text).unwrap_or_default();
        let valid = is_hex(text, 16) && text != "0000000000000000";
        self.unless(valid, || format!("{what} is {id:?}"));
    }
}

const SQL: [&str; 8] = [
    "connection_string",
    "url",
    "sanitized_query",
    "database_type",
    "database_version",
    "driver_version",
    "user",
    "preparation",
];
const HTTP: [&str; 2] = ["request", "response"];
const AWS: [&str; 11] = [
    "account_id",
    "ecs",
    "xray",
    "function_arn",
    "operation",
    "region",
    "request_id",
    "queue_url",
    "table_name",
    "table_names",
    "retries",
];

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[test]
fn examples_of_the_documentation_are_valid() {
    let header = "{\"format\": \"json\", \"version\": 1}\n";
    let segment = r#"{"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,
        "trace_id":"1-581cf771-a006649127e371903a2de979","end_time":1.478293361449E9}"#;
    let in_progress = r#"{"name":"example.com","id":"70de5b6f19ff9a0b","start_time":1.478293361271E9,
        "trace_id":"1-581cf771-a006649127e371903a2de979","in_progress":true}"#;
    for document in [segment, in_progress] {
        assert_eq!(faults(format!("{header}{document}").as_bytes()), [""; 0]);
    }
}

#[test]
fn invalid_document_is_detected() {
    let header = "{\"format\": \"json\", \"version\": 1}\n";
    let document = r#"{"type":"subsegment","name":"a{b}","id":"0000000000000000","start_time":2,"end_time":1,
        "trace_id":"1-581cf771-a006649127e371903a2de97","annotations":{"a.b":null},"cause":{"exceptions":[{}]},
        "metadata":{"links":[],"default":{},"own":{"a":1}},"links":[{"trace_id":"1","id":""}]}"#;
    assert_eq!(faults(format!("{header}{document}").as_bytes()).len(), 15);
    assert_eq!(faults(format!("{header}{{\"a\":1,\"b\":{{\"c\":1,\"c\":2}}}}").as_bytes()).len(), 1);
}
