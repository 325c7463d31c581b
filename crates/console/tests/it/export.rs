//! A trace survives receiving, keeping and exporting with every field.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::{Value, json};

use crate::support::{JSON, NOW, PROTOBUF, TRACE, TestConsole, start};

fn pair(key: &str, value: i64) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(AnyKind::IntValue(value)) }),
        ..KeyValue::default()
    }
}

/// Returns a request whose fields all differ from their defaults.
fn full() -> ExportTraceServiceRequest {
    let id = |number: u64| number.to_be_bytes().to_vec();
    let span = |number: u64| Span {
        trace_id: u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes().to_vec(),
        span_id: id(number),
        trace_state: "a=b".to_owned(),
        parent_span_id: id(9),
        flags: 0x301,
        name: format!("span {number}"),
        kind: 3,
        start_time_unix_nano: NOW,
        end_time_unix_nano: NOW + 1000,
        attributes: vec![pair("on.span", 1)],
        dropped_attributes_count: 2,
        events: vec![Event {
            time_unix_nano: NOW + 1,
            name: "event".to_owned(),
            attributes: vec![pair("on.event", 2)],
            dropped_attributes_count: 3,
        }],
        dropped_events_count: 4,
        links: vec![Link {
            trace_id: vec![7; 16],
            span_id: vec![8; 8],
            trace_state: "c=d".to_owned(),
            attributes: vec![pair("on.link", 3)],
            dropped_attributes_count: 5,
            flags: 0x100,
        }],
        dropped_links_count: 6,
        status: Some(Status { code: 0, message: "no code".to_owned() }),
    };
    let scope = |version: &str, number: u64| ScopeSpans {
        scope: Some(InstrumentationScope {
            name: "library".to_owned(),
            version: version.to_owned(),
            attributes: vec![pair("on.scope", 4)],
            dropped_attributes_count: 7,
        }),
        spans: vec![span(number)],
        schema_url: format!("https://example.com/scope/{version}"),
    };
    let resource = |service: i64, scope_spans: Vec<ScopeSpans>| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![pair("service.name", service)],
            dropped_attributes_count: 8,
            ..Resource::default()
        }),
        scope_spans,
        schema_url: "https://example.com/resource".to_owned(),
    };
    let resource_spans = vec![resource(1, vec![scope("1", 1), scope("2", 2)]), resource(2, vec![scope("1", 3)])];
    ExportTraceServiceRequest { resource_spans }
}

/// Returns the same request in JSON, as the specification writes it.
fn full_json() -> Value {
    let pair = |key: &str, value: i64| json!([{"key": key, "value": {"intValue": value.to_string()}}]);
    let span = |number: u64| {
        json!({
            "traceId": TRACE, "spanId": format!("{number:016x}"), "traceState": "a=b",
            "parentSpanId": "0000000000000009", "flags": 0x301, "name": format!("span {number}"), "kind": 3,
            "startTimeUnixNano": NOW.to_string(), "endTimeUnixNano": (NOW + 1000).to_string(),
            "attributes": pair("on.span", 1), "droppedAttributesCount": 2,
            "events": [{
                "timeUnixNano": (NOW + 1).to_string(), "name": "event", "attributes": pair("on.event", 2),
                "droppedAttributesCount": 3,
            }],
            "droppedEventsCount": 4,
            "links": [{
                "traceId": "07070707070707070707070707070707", "spanId": "0808080808080808", "traceState": "c=d",
                "attributes": pair("on.link", 3), "droppedAttributesCount": 5, "flags": 0x100,
            }],
            "droppedLinksCount": 6,
            "status": {"message": "no code"},
        })
    };
    let scope = |version: &str, number: u64| {
        json!({
            "scope": {
                "name": "library", "version": version, "attributes": pair("on.scope", 4), "droppedAttributesCount": 7,
            },
            "spans": [span(number)],
            "schemaUrl": format!("https://example.com/scope/{version}"),
        })
    };
    let resource = |service: i64, scopes: Value| {
        json!({
            "resource": {"attributes": pair("service.name", service), "droppedAttributesCount": 8},
            "scopeSpans": scopes,
            "schemaUrl": "https://example.com/resource",
        })
    };
    json!({"resourceSpans": [resource(1, json!([scope("1", 1), scope("2", 2)])), resource(2, json!([scope("1", 3)]))]})
}

async fn exported(console: &TestConsole) -> Value {
    console.get_json(&format!("/api/traces/{TRACE}/otlp")).await
}

#[tokio::test]
async fn every_field_survives_from_protobuf_to_json() {
    let console = start().await;
    let answer = console.post("/v1/traces", &[PROTOBUF], &full().encode_to_vec()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(exported(&console).await, full_json());
}

#[tokio::test]
async fn every_field_survives_from_json_to_json() {
    let console = start().await;
    let answer = console.post("/v1/traces", &[JSON], full_json().to_string().as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(exported(&console).await, full_json());
}

#[tokio::test]
async fn every_field_survives_export_and_import() {
    let (first, second) = (start().await, start().await);
    first.post("/v1/traces", &[PROTOBUF], &full().encode_to_vec()).await;
    let file = exported(&first).await.to_string();
    assert_eq!(second.post("/api/import", &[JSON], file.as_bytes()).await.status, 200);
    assert_eq!(exported(&second).await, full_json());
}
