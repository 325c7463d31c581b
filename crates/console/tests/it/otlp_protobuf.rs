//! OTLP in protobuf, encoded by the SDK's own types.

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::json;

use crate::support::{NOW, PROTOBUF, TRACE, start};

fn any(value: AnyKind) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: AnyKind) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

pub(crate) fn span(id: u64) -> Span {
    Span {
        trace_id: u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        name: format!("span {id}"),
        kind: 2,
        start_time_unix_nano: NOW,
        end_time_unix_nano: NOW + 1000,
        ..Span::default()
    }
}

pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![pair("service.name", AnyKind::StringValue("api".to_owned()))],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "lib".to_owned(), version: "2".to_owned(), ..Default::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
    let resource_spans =
        ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

#[tokio::test]
async fn every_field_of_a_span_is_read() {
    let list = vec![any(AnyKind::IntValue(1)), any(AnyKind::BoolValue(true))];
    let span = Span {
        parent_span_id: 9_u64.to_be_bytes().to_vec(),
        trace_state: "a=b".to_owned(),
        attributes: vec![
            pair("text", AnyKind::StringValue("x".to_owned())),
            pair("int", AnyKind::IntValue(-5)),
            pair("double", AnyKind::DoubleValue(0.25)),
            pair("list", AnyKind::ArrayValue(ArrayValue { values: list })),
            pair("map", AnyKind::KvlistValue(KeyValueList { values: vec![pair("k", AnyKind::BytesValue(vec![1]))] })),
            KeyValue { key: "nothing".to_owned(), ..KeyValue::default() },
        ],
        dropped_attributes_count: 3,
        events: vec![Event { time_unix_nano: NOW + 1, name: "e".to_owned(), ..Event::default() }],
        links: vec![Link { trace_id: vec![7; 16], span_id: vec![8; 8], ..Link::default() }],
        dropped_links_count: 4,
        status: Some(Status { code: 2, message: "failed".to_owned() }),
        ..span(1)
    };
    let console = start().await;
    let answer = console.post("/v1/traces", &[PROTOBUF], &request(vec![span]).encode_to_vec()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
    let trace = console.get_json(&format!("/api/traces/{TRACE}")).await;
    let found = &trace["spans"][1];
    let expected = json!({
        "id": "0000000000000001", "index": 1, "parent": 0, "depth": 1, "children": [], "placeholder": false,
        "service": "api", "name": "span 1", "telling": null, "kind": "server",
        "start": NOW.to_string(), "end": (NOW + 1000).to_string(), "duration": "1000", "self": "1000",
        "critical": "1000", "status": "fault", "status_message": "failed", "resource": 0, "scope": 0,
        "attributes": [
            {"key": "text", "type": "string", "value": "x"},
            {"key": "int", "type": "int", "value": "-5"},
            {"key": "double", "type": "double", "value": 0.25},
            {"key": "list", "type": "array", "value": [{"type": "int", "value": "1"}, {"type": "bool", "value": true}]},
            {"key": "map", "type": "map", "value": [{"key": "k", "type": "bytes", "value": "AQ=="}]},
            {"key": "nothing", "type": "empty", "value": null},
        ],
        "trace_state": "a=b",
        "events": [{"time": (NOW + 1).to_string(), "name": "e", "attributes": []}],
        "links": [{
            "trace": "07070707070707070707070707070707", "span": "0808080808080808", "attributes": [],
            "known": false, "direction": "out",
        }],
        "in": ["otlp"], "marks": ["parent_missing"], "skew": null,
        "dropped_attributes": 3, "dropped_events": 0, "dropped_links": 4,
    });
    assert_eq!(*found, expected);
    assert_eq!(trace["scopes"], json!([{"name": "lib", "version": "2"}]));
    assert_eq!(trace["resources"][0]["service"], "api");
    assert_eq!(trace["summary"]["state"], "root_missing");
    assert_eq!(trace["spans"][0]["placeholder"], true);
}

#[tokio::test]
async fn bad_ids_are_a_partial_success() {
    let bad = [
        Span { span_id: vec![0; 8], ..span(1) },
        Span { span_id: vec![1; 7], ..span(1) },
        Span { trace_id: vec![1; 15], ..span(1) },
        Span { trace_id: Vec::new(), ..span(1) },
    ];
    let console = start().await;
    let spans = bad.into_iter().chain([span(2)]).collect();
    let answer = console.post("/v1/traces", &[PROTOBUF], &request(spans).encode_to_vec()).await;
    let response = ExportTraceServiceResponse::decode(&*answer.body).unwrap();
    assert_eq!((answer.status, response.partial_success.unwrap().rejected_spans), (200, 4));
    assert_eq!(console.get_json("/api/info").await["spans"], 1);
}

#[tokio::test]
async fn span_that_cannot_be_decoded_is_rejected_alone() {
    // The name is not UTF-8: it is repaired. A group in a span, which protobuf no longer has, rejects it.
    let whole = request(vec![span(1), span(2)]).encode_to_vec();
    let at = whole.windows(6).position(|part| part == b"span 1").unwrap();
    let mut repaired = whole.clone();
    repaired[at] = 0xff;
    let console = start().await;
    let answer = console.post("/v1/traces", &[PROTOBUF], &repaired).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let trace = console.get_json(&format!("/api/traces/{TRACE}")).await;
    assert_eq!(trace["spans"][0]["name"], "\u{fffd}pan 1");

    let mut broken = whole;
    broken[at - 2] = 0x2b;
    let console = start().await;
    let answer = console.post("/v1/traces", &[PROTOBUF], &broken).await;
    let response = ExportTraceServiceResponse::decode(&*answer.body).unwrap();
    assert_eq!((answer.status, response.partial_success.unwrap().rejected_spans), (200, 1));
}

#[tokio::test]
async fn bytes_that_are_no_request_are_refused() {
    let whole = request(vec![span(1)]).encode_to_vec();
    for body in [&b"{\"resourceSpans\":[]}"[..], &[0xff; 20], &whole[..whole.len() - 3]] {
        let console = start().await;
        let answer = console.post("/v1/traces", &[PROTOBUF], body).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/x-protobuf")), "{body:?}");
        // A `google.rpc.Status` with the code INVALID_ARGUMENT.
        assert_eq!(answer.body[..2], [0x08, 3]);
    }
}

#[tokio::test]
async fn log_lines_in_protobuf_are_read() {
    /// `LogRecord` and what contains it, since the SDK's types need a feature that would rebuild the SDK.
    #[derive(Clone, PartialEq, prost::Message)]
    struct LogRecord {
        #[prost(fixed64, tag = "1")]
        time: u64,
        #[prost(int32, tag = "2")]
        severity: i32,
        #[prost(string, tag = "3")]
        severity_text: String,
        #[prost(message, optional, tag = "5")]
        body: Option<AnyValue>,
        #[prost(bytes = "vec", tag = "9")]
        trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "10")]
        span_id: Vec<u8>,
        #[prost(fixed64, tag = "11")]
        observed: u64,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct ScopeLogs {
        #[prost(message, repeated, tag = "2")]
        records: Vec<LogRecord>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct ResourceLogs {
        #[prost(message, optional, tag = "1")]
        resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        scopes: Vec<ScopeLogs>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Request {
        #[prost(message, repeated, tag = "1")]
        resources: Vec<ResourceLogs>,
    }
    let record = LogRecord {
        severity: 17,
        body: Some(any(AnyKind::StringValue("failed".to_owned()))),
        trace_id: span(1).trace_id,
        span_id: span(1).span_id,
        observed: 7,
        ..LogRecord::default()
    };
    let records = vec![record, LogRecord::default()];
    let resource = ResourceLogs { resource: None, scopes: vec![ScopeLogs { records }] };
    let console = start().await;
    let body = Request { resources: vec![resource] }.encode_to_vec();
    let answer = console.post("/v1/logs/", &[PROTOBUF], &body).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let trace = console.get_json(&format!("/api/traces/{TRACE}")).await;
    let expected = json!([{
        "time": "7", "severity": "ERROR", "severity_number": 17, "body": "failed",
        "body_value": {"type": "string", "value": "failed"}, "span": "0000000000000001", "resource": 0, "attributes": [],
    }]);
    assert_eq!(trace["logs"], expected);
    assert_eq!(console.refused().await, [("logs_not_kept".to_owned(), 1)]);
}
