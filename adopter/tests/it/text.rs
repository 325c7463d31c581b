//! Traces as texts, which are compared with files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

/// Asserts that `found` is the content of `tests/traces/<file>`. The message shows how to accept the new text.
pub(crate) fn assert_snapshot(file: &str, found: &str) {
    let path = format!("{}/tests/traces/{file}", env!("CARGO_MANIFEST_DIR"));
    let kept = format!("{}/{file}", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&kept, found).unwrap();
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "to accept the new text: cp {kept} {path}\n{found}");
}

/// The spans of a trace over OTLP, each below its parent.
pub(crate) fn otlp(spans: &[Span], port: &str) -> String {
    let names: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id.clone(), ())).collect();
    let mut text = String::new();
    for root in spans.iter().filter(|span| !names.contains_key(&span.parent_span_id)) {
        write_span(&mut text, spans, root, 0);
    }
    text.replace(&format!(":{port}"), ":PORT")
}

fn write_span(text: &mut String, spans: &[Span], span: &Span, depth: usize) {
    const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    let indent = "  ".repeat(depth);
    let failed = span.status.as_ref().is_some_and(|status| status.code == 2);
    let kind = KINDS[usize::try_from(span.kind).unwrap()];
    writeln!(text, "{indent}{} [{kind}]{}", span.name, if failed { " failed" } else { "" }).unwrap();
    for (key, value) in attributes(&span.attributes) {
        writeln!(text, "{indent}    {key} = {value}").unwrap();
    }
    for link in &span.links {
        writeln!(text, "{indent}    link {} {}", hex(&link.trace_id), hex(&link.span_id)).unwrap();
    }
    for event in &span.events {
        writeln!(text, "{indent}    event {} {:?}", event.name, attributes(&event.attributes)).unwrap();
    }
    let mut children: Vec<_> = spans.iter().filter(|child| child.parent_span_id == span.span_id).collect();
    children.sort_by_key(|child| child.start_time_unix_nano);
    for child in children {
        write_span(text, spans, child, depth + 1);
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    attributes.iter().map(|attribute| (attribute.key.as_str(), value(attribute))).collect()
}

fn value(attribute: &KeyValue) -> String {
    let Some(AnyValue { value: Some(value) }) = &attribute.value else { panic!("{attribute:?}") };
    match value {
        Any::StringValue(text) => format!("{text:?}"),
        Any::IntValue(_) if attribute.key == "server.port" => "PORT".to_owned(),
        Any::IntValue(number) => number.to_string(),
        Any::DoubleValue(number) => format!("{number:?}"),
        Any::BoolValue(truth) => truth.to_string(),
        Any::ArrayValue(_) | Any::KvlistValue(_) | Any::BytesValue(_) | Any::StringValueStrindex(_) => {
            panic!("{attribute:?}")
        }
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The documents of a trace in X-Ray. Ids and times are left out; a parent is the name of its document.
pub(crate) fn xray(documents: &[Value], port: &str) -> String {
    let mut names = BTreeMap::new();
    for document in documents {
        collect_names(document, &mut names);
    }
    let mut documents = documents.to_vec();
    documents.sort_by(|a, b| a["start_time"].as_f64().unwrap().total_cmp(&b["start_time"].as_f64().unwrap()));
    let mut text = String::new();
    for document in &mut documents {
        simplify(document, &names);
        writeln!(text, "{document:#}").unwrap();
    }
    text.replace(&format!(":{port}"), ":PORT").replace(&format!("server.port\": {port}"), "server.port\": PORT")
}

fn collect_names(document: &Value, names: &mut BTreeMap<String, String>) {
    names.insert(document["id"].as_str().unwrap().to_owned(), document["name"].as_str().unwrap().to_owned());
    for inner in document["subsegments"].as_array().into_iter().flatten() {
        collect_names(inner, names);
    }
}

fn simplify(document: &mut Value, names: &BTreeMap<String, String>) {
    let fields = document.as_object_mut().unwrap();
    for volatile in ["id", "start_time", "end_time", "trace_id"] {
        fields.remove(volatile);
    }
    if let Some(Value::String(parent)) = fields.get_mut("parent_id") {
        *parent = names.get(parent).cloned().unwrap_or_else(|| parent.clone());
    }
    if let Some(exceptions) = fields.get_mut("cause").and_then(|cause| cause.get_mut("exceptions")) {
        for exception in exceptions.as_array_mut().unwrap() {
            exception.as_object_mut().unwrap().remove("id");
        }
    }
    for inner in fields.get_mut("subsegments").and_then(Value::as_array_mut).into_iter().flatten() {
        simplify(inner, names);
    }
}
