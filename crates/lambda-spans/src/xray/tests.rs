mod arbitrary;
mod cut;
mod failure;
mod otlp;
mod property;
mod sending;
mod together;
mod validator;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use serde_json::{Value as Json, json};

use super::{Xray, XrayFormat, XraySettings};
use crate::trace::accounting::{Account, Destination, Destinations};
use crate::trace::finished::{FinishedSpans, XrayContext, tests};
use crate::trace::sampling::{Decision, Decisions, Reason};
use crate::trace::tree;

const ROOT_ID: u64 = 0x1111_1111_1111_1111;
const PARENT: u64 = 0x53995c3f42cd8ad8;

fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + milliseconds)
}

fn root(name: &'static str, attributes: Vec<KeyValue>) -> SpanData {
    SpanData {
        parent_span_id: SpanId::from(PARENT),
        parent_span_is_remote: true,
        span_kind: SpanKind::Server,
        name: name.into(),
        start_time: at(0),
        end_time: at(250),
        attributes,
        ..tree::tests::span(ROOT_ID, 0, 0)
    }
}

fn child(name: &'static str, attributes: Vec<KeyValue>) -> SpanData {
    SpanData {
        parent_span_id: SpanId::from(ROOT_ID),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        ..root(name, attributes)
    }
}

fn client(name: &'static str, attributes: Vec<KeyValue>) -> SpanData {
    SpanData { span_kind: SpanKind::Client, ..child(name, attributes) }
}

fn event(name: &'static str, attributes: Vec<KeyValue>) -> SpanEvents {
    let mut events = SpanEvents::default();
    events.events.push(Event::new(name, at(1), attributes, 0));
    events
}

fn xray(address: &str) -> Xray {
    xray_with(address, XrayFormat::Segments, false)
}

fn xray_with(address: &str, format: XrayFormat, arrays: bool) -> Xray {
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", "cruddur-api"),
        KeyValue::new("cloud.provider", "aws"),
        KeyValue::new("cloud.platform", "aws_lambda"),
    ]);
    let settings = XraySettings { daemon: address.to_owned(), format, arrays };
    Xray::new(settings, vec!["app.".to_owned()], &resource.build())
}

fn read(datagram: &[u8]) -> Json {
    assert_eq!(validator::faults(datagram), [""; 0]);
    serde_json::from_slice(datagram.strip_prefix(super::document::HEADER).unwrap()).unwrap()
}

/// Returns finished spans that OTLP samples out, which does not matter to X-Ray.
fn in_xray(xray: XrayContext, spans: Vec<SpanData>) -> FinishedSpans {
    FinishedSpans { xray, sampling: Decisions::SAMPLE_OUT, ..tests::finished(spans) }
}

/// Returns the spans of an invocation below Lambda's segment.
fn of_lambda(spans: Vec<SpanData>) -> FinishedSpans {
    in_xray(XrayContext { parent: Some(SpanId::from(PARENT)), sampled: true }, spans)
}

/// Returns the document of a span below the segment `parent`.
fn document_below(span: SpanData, parent: Option<u64>) -> Json {
    let account = Account::default();
    let finished = in_xray(XrayContext { parent: parent.map(SpanId::from), sampled: true }, vec![span]);
    let documents = xray("127.0.0.1:2000").documents(&[finished], &account);
    assert_eq!(documents.len(), 1, "no span is lost");
    read(&documents[0].datagram)
}

fn document(span: SpanData) -> Json {
    document_below(span, Some(PARENT))
}

fn lambda_root() -> SpanData {
    root(
        "GET /api/activities/{activity_uuid}",
        vec![
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("http.route", "/api/activities/{activity_uuid}"),
            KeyValue::new("url.scheme", "https"),
            KeyValue::new("server.address", "x.execute-api.eu-west-1.amazonaws.com"),
            KeyValue::new("url.path", "/api/activities/1"),
            KeyValue::new("http.response.status_code", 200),
            KeyValue::new("http.response.body.size", 512),
            KeyValue::new("faas.invocation_id", "c6af9ac6"),
            KeyValue::new("aws.lambda.invoked_arn", "arn:aws:lambda:eu-west-1:123456789012:function:api"),
            KeyValue::new("cloud.account.id", "123456789012"),
            KeyValue::new("faas.coldstart", true),
            KeyValue::new("app.result_length", 3),
        ],
    )
}

#[test]
fn invocation_is_a_subsegment_of_lambdas_segment() {
    assert_eq!(
        document(lambda_root()),
        json!({
            "type": "subsegment",
            "name": "GET /api/activities/:activity_uuid",
            "id": "1111111111111111",
            "parent_id": "53995c3f42cd8ad8",
            "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
            "start_time": 1_700_000_000.0,
            "end_time": 1_700_000_000.25,
            "http": {
                "request": {
                    "method": "GET",
                    "url": "https://x.execute-api.eu-west-1.amazonaws.com/api/activities/1",
                },
                "response": { "status": 200, "content_length": 512 },
            },
            "annotations": { "app_result_length": 3 },
            "aws": {
                "account_id": "123456789012",
                "function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:api",
                "request_id": "c6af9ac6",
                "xray": { "sdk": "opentelemetry for rust" },
            },
            "metadata": {
                "default": {
                    "http.route": "/api/activities/{activity_uuid}",
                    "faas.invocation_id": "c6af9ac6",
                    "aws.lambda.invoked_arn": "arn:aws:lambda:eu-west-1:123456789012:function:api",
                    "faas.coldstart": true,
                },
            },
        })
    );
}

#[test]
fn root_without_a_parent_is_a_segment() {
    let attributes = vec![KeyValue::new("url.path", "/"), KeyValue::new("client.address", "192.0.2.1")];
    let document = document_below(root("GET /", attributes), None);
    assert_eq!(document["name"], "cruddur-api");
    assert_eq!(document["metadata"]["lambda_spans"]["span.name"], "GET /");
    assert_eq!(document["origin"], "AWS::Lambda::Function");
    assert_eq!(document["type"], Json::Null);
    assert_eq!(document["parent_id"], Json::Null);
    // Without a host there is no URL.
    assert_eq!(document["http"]["request"], json!({ "client_ip": "192.0.2.1" }));
    assert_eq!(document["metadata"]["default"]["url.path"], "/");
}

#[test]
fn url_keeps_a_port_other_than_the_default() {
    for (scheme, host, port, url) in [
        ("http", "localhost", 3000, "http://localhost:3000/x"),
        ("https", "api.example.com", 443, "https://api.example.com/x"),
        ("https", "api.example.com", 80, "https://api.example.com:80/x"),
        ("http", "2001:db8::1", 8080, "http://[2001:db8::1]:8080/x"),
    ] {
        let attributes = vec![
            KeyValue::new("url.scheme", scheme),
            KeyValue::new("server.address", host),
            KeyValue::new("server.port", port),
            KeyValue::new("url.path", "/x"),
        ];
        let document = document(root("GET /x", attributes));
        assert_eq!((&document["http"]["request"]["url"], &document["metadata"]), (&json!(url), &Json::Null));
    }
}

#[test]
fn invocation_root_draws_no_node() {
    for span_kind in [SpanKind::Server, SpanKind::Consumer, SpanKind::Client, SpanKind::Producer, SpanKind::Internal] {
        let document = document(SpanData { span_kind, ..lambda_root() });
        assert_eq!((&document["type"], &document["namespace"]), (&json!("subsegment"), &Json::Null));
    }
}

#[test]
fn child_span_is_never_a_segment() {
    for span_kind in [SpanKind::Server, SpanKind::Consumer] {
        let nested = document_below(SpanData { span_kind, ..child("nested", vec![]) }, None);
        assert_eq!((&nested["type"], &nested["namespace"]), (&json!("subsegment"), &Json::Null));
        assert_eq!(nested["parent_id"], "1111111111111111");
    }
}

#[test]
fn dynamodb_call_is_an_aws_subsegment_with_its_table() {
    let document = document(client(
        "DynamoDB.Query",
        vec![
            KeyValue::new("rpc.system.name", "aws-api"),
            KeyValue::new("rpc.method", "DynamoDB/Query"),
            KeyValue::new("cloud.region", "eu-west-1"),
            KeyValue::new("aws.request_id", "REQ1"),
            KeyValue::new("db.system.name", "aws.dynamodb"),
            KeyValue::new("db.collection.name", "cruddur"),
            KeyValue::new("server.address", "dynamodb.eu-west-1.amazonaws.com"),
            KeyValue::new("server.port", 443),
            KeyValue::new("aws.sdk.attempts", 3),
            KeyValue::new("http.response.status_code", 200),
        ],
    ));
    assert_eq!((&document["name"], &document["namespace"]), (&json!("DynamoDB"), &json!("aws")));
    assert_eq!((&document["sql"], &document["parent_id"]), (&Json::Null, &json!("1111111111111111")));
    assert_eq!(document["http"], json!({ "response": { "status": 200 } }));
    assert_eq!(
        document["aws"],
        json!({
            "operation": "Query",
            "region": "eu-west-1",
            "request_id": "REQ1",
            "retries": 2,
            "table_name": "cruddur",
            "xray": { "sdk": "opentelemetry for rust" },
        })
    );
    assert_eq!(
        document["metadata"]["default"],
        json!({
            "db.system.name": "aws.dynamodb",
            "server.address": "dynamodb.eu-west-1.amazonaws.com",
            "server.port": 443,
        })
    );
}

#[test]
fn table_names_of_other_instrumentation_are_kept() {
    for tables in [Value::Array(Array::String(vec!["cruddur".into()])), Value::from("cruddur")] {
        let attributes =
            vec![KeyValue::new("rpc.system", "aws-api"), KeyValue::new("aws.dynamodb.table_names", tables)];
        let aws = document(client("DynamoDB.Query", attributes))["aws"].clone();
        assert_eq!((&aws["table_name"], &aws["table_names"]), (&json!("cruddur"), &json!(["cruddur"])));
    }
}

#[test]
fn aws_call_is_named_after_its_service() {
    let attributes = vec![
        KeyValue::new("rpc.system", "aws-api"),
        KeyValue::new("rpc.service", "SQS"),
        KeyValue::new("rpc.method", "SendMessage"),
        KeyValue::new("aws.sqs.queue.url", "https://sqs/q"),
    ];
    let document = document(SpanData { span_kind: SpanKind::Producer, ..child("q send", attributes) });
    assert_eq!((&document["name"], &document["namespace"]), (&json!("SQS"), &json!("aws")));
    assert_eq!(document["aws"]["operation"], "SendMessage");
    assert_eq!(document["aws"]["queue_url"], "https://sqs/q");
}

#[test]
fn other_call_is_a_remote_node_named_after_its_host() {
    let url = vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("url.full", "https://api.example.com/users"),
        KeyValue::new("server.address", "api.example.com"),
    ];
    let called = document(client("GET", url));
    assert_eq!((&called["name"], &called["namespace"]), (&json!("api.example.com"), &json!("remote")));
    assert_eq!(called["http"]["request"], json!({ "method": "GET", "url": "https://api.example.com/users" }));
    assert_eq!((&called["sql"], &called["metadata"]["lambda_spans"]["span.name"]), (&Json::Null, &json!("GET")));
    for key in ["service.peer.name", "peer.service"] {
        let queue = vec![KeyValue::new(key, "queue")];
        let sent = document(SpanData { span_kind: SpanKind::Producer, ..child("send", queue) });
        assert_eq!((&sent["name"], &sent["namespace"]), (&json!("queue"), &json!("remote")));
    }
}

#[test]
fn only_sql_queries_have_an_sql_block() {
    let attributes = |system: &'static str| {
        vec![
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.namespace", "users"),
            KeyValue::new("db.query.text", "SELECT ?"),
            KeyValue::new("server.address", "db.example.com"),
            KeyValue::new("server.port", 5432),
        ]
    };
    let query = document(client("SELECT", attributes("postgresql")));
    assert_eq!((&query["name"], &query["namespace"]), (&json!("users@db.example.com"), &json!("remote")));
    assert_eq!(
        query["sql"],
        json!({ "url": "db.example.com:5432/users", "sanitized_query": "SELECT ?", "database_type": "postgresql" })
    );
    for span in [client("GET", attributes("redis")), child("SELECT", attributes("postgresql"))] {
        let document = document(span);
        assert_eq!(document["sql"], Json::Null);
        assert_eq!(document["metadata"]["default"]["db.namespace"], "users");
    }
}

fn linked(span: SpanData) -> SpanData {
    let mut links = SpanLinks::default();
    let linked = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, true, TraceState::NONE);
    links.links.push(Link::new(linked, vec![KeyValue::new("of", "message")], 0));
    SpanData { links, ..span }
}

#[test]
fn links_and_events_of_a_subsegment_are_metadata() {
    let retry = vec![KeyValue::new("attempt", 2), KeyValue::new("attempt", 3)];
    let span = SpanData { events: event("retry", retry), dropped_attributes_count: 4, ..linked(child("x", vec![])) };
    assert_eq!(
        document(span)["metadata"],
        json!({
            "lambda_spans": {
                "events": [{ "name": "retry", "time": 1_700_000_000.001, "attributes": { "attempt": 3 } }],
                "links": [{
                    "trace_id": "00000000000000000000000000000001",
                    "span_id": "0000000000000002",
                    "attributes": { "of": "message" },
                }],
                "dropped_attributes": 4,
            },
        })
    );
}

#[test]
fn links_of_a_segment_are_a_field() {
    let document = document_below(linked(root("GET /", vec![])), None);
    assert_eq!(
        document["links"],
        json!([{
            "trace_id": "1-00000000-000000000000000000000001",
            "id": "0000000000000002",
            "attributes": { "of": "message" },
        }])
    );
    assert_eq!(document["metadata"], json!({ "lambda_spans": { "span.name": "GET /" } }));
}

#[test]
fn unsupported_annotations_are_kept_as_metadata() {
    let document = document(child(
        "x",
        vec![
            KeyValue::new("app.a.b", 1),
            KeyValue::new("app.a_b", 2),
            KeyValue::new("app.ratio", f64::NAN),
            KeyValue::new("app.list", Value::Array(Array::I64(vec![1, 2]))),
            KeyValue::new("app.long", "x".repeat(1200)),
            KeyValue::new("other", true),
        ],
    ));
    assert_eq!(document["annotations"]["app_a_b"], 1);
    assert_eq!(document["annotations"]["app_long"].as_str().unwrap().len(), 1000);
    assert_eq!(document["annotations"].as_object().unwrap().len(), 2);
    assert_eq!(
        document["metadata"]["default"],
        json!({ "app.a_b": 2, "app.ratio": "NaN", "app.list": [1, 2], "app.long": "x".repeat(1200), "other": true })
    );
}

#[test]
fn the_fifty_first_annotation_is_metadata() {
    let attributes = (0..60).map(|n| KeyValue::new(format!("app.n{n}"), n)).collect();
    let document = document(child("x", attributes));
    assert_eq!(document["annotations"].as_object().unwrap().len(), 50);
    assert_eq!(document["metadata"]["default"].as_object().unwrap().len(), 10);
}

#[test]
fn open_span_has_a_document_without_an_end() {
    let open = SpanData { end_time: at(0), ..lambda_root() };
    let open = xray("127.0.0.1:2000")
        .in_progress(&[open], XrayContext { parent: Some(SpanId::from(PARENT)), sampled: true })
        .remove(0);
    let mut expected = document(lambda_root());
    expected.as_object_mut().unwrap().remove("end_time");
    expected["in_progress"] = json!(true);
    assert_eq!(read(&open.datagram), expected);
}

#[test]
fn span_without_ids_gets_new_ones() {
    let document = document_below(SpanData { span_context: SpanContext::NONE, ..child("x", vec![]) }, None);
    assert_ne!(document["id"], "0000000000000000");
}

#[test]
fn unsampled_spans_are_counted_and_not_sent() {
    let account = Account::default();
    let finished = in_xray(XrayContext { parent: None, sampled: false }, vec![child("x", vec![])]);
    assert!(xray("127.0.0.1:2000").documents(&[finished], &account).is_empty());
    assert_eq!(account.counts(), crate::Counts { sampled_out: 1, ..Default::default() });
}

#[test]
fn root_says_why_otlp_left_the_trace_out() {
    let receivers = Destinations::default().with(Destination::Otlp, true);
    let left_out = |sampling, receivers| {
        let below = SpanData { span_context: tree::tests::span(7, 0, 0).span_context, ..child("y", vec![]) };
        let finished = FinishedSpans { sampling, ..of_lambda(vec![root("x", vec![]), below]) };
        let documents = xray("127.0.0.1:2000").beside(receivers).documents(&[finished], &Account::default());
        let document = read(&documents[0].datagram);
        assert_eq!(document["subsegments"][0]["metadata"]["lambda_spans"], Json::Null);
        document["metadata"]["lambda_spans"].clone()
    };
    let rate = Decision::SampleOut(Reason::Rate(20));
    let sampled_out = Decisions { otlp: rate, second_otlp: rate };
    let expected = json!({ "lambda_spans.left_out": "sampled_out", "lambda_spans.sample_rate": 20 });
    assert_eq!(left_out(sampled_out, receivers), expected);
    assert_eq!(left_out(Decisions::EXCLUDE, receivers), json!({ "lambda_spans.left_out": "excluded" }));
    for (sampling, receivers) in [
        (Decisions::KEEP, receivers),
        (
            Decisions { second_otlp: Decision::Keep { rate: 5 }, ..sampled_out },
            receivers.with(Destination::SecondOtlp, true),
        ),
        (sampled_out, Destinations::default()),
    ] {
        assert_eq!(left_out(sampling, receivers), Json::Null, "{sampling:?}");
    }
}
