//! AWS X-Ray, through the daemon's UDP protocol: one datagram for each span.

mod daemon;
mod normalise;

use std::slice;
use std::time::Duration;

use opentelemetry_aws::xray_exporter::SegmentTranslator;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::accounting::Account;
use crate::invocation::Finished;
use daemon::Daemon;

/// X-Ray's limit for a document. The datagram with its header still fits below UDP's 65,507 bytes.
const MAX_DOCUMENT_BYTES: usize = 64 * 1000;

#[derive(Debug)]
pub(crate) struct Xray {
    translator: SegmentTranslator,
    daemon: Daemon,
}

impl Xray {
    pub(crate) fn new(address: String, resource: &Resource) -> Self {
        let mut translator = SegmentTranslator::new()
            .metadata_all_attrs()
            // Lambda vouches for the ids that it hands out; outside of Lambda they come from X-Ray's generator.
            .skip_timestamp_validation();
        translator.set_resource(resource);
        Self { translator, daemon: Daemon::new(address) }
    }

    /// The documents of all spans that X-Ray samples.
    pub(crate) fn documents(&self, finished: &[Finished], account: &Account) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        for Finished { xray, spans, .. } in finished {
            if !xray.sampled {
                account.sampled_out(spans.len());
                continue;
            }
            for span in spans {
                match self.document(&normalise::for_xray(span, xray.parent)) {
                    Some(document) => documents.push(document),
                    None => account.dropped(1),
                }
            }
        }
        documents
    }

    /// Each span by itself, so that one the translator refuses takes no other with it. What is refused or
    /// too large is tried again with nothing but its name, times and place in the trace.
    fn document(&self, span: &SpanData) -> Option<Vec<u8>> {
        let translate = |span: &SpanData| {
            let document = self.translator.translate_spans(slice::from_ref(span)).pop()?;
            let mut bytes = daemon::HEADER.to_vec();
            document.to_writer(&mut bytes);
            (bytes.len() <= MAX_DOCUMENT_BYTES).then_some(bytes)
        };
        translate(span).or_else(|| translate(&normalise::bare(span)))
    }

    pub(crate) async fn send(&self, documents: Vec<Vec<u8>>, limit: Duration, account: &Account) {
        self.daemon.send(documents, limit, account).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
    use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::invocation::XrayContext;

    const ROOT_ID: u64 = 0x1111_1111_1111_1111;
    const PARENT: u64 = 0x53995c3f42cd8ad8;

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + milliseconds)
    }

    fn root(name: &'static str, attributes: Vec<KeyValue>) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(0x5759e988bd862e3fe1be46a994272793_u128),
                SpanId::from(ROOT_ID),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: SpanId::from(PARENT),
            parent_span_is_remote: true,
            span_kind: SpanKind::Server,
            name: name.into(),
            start_time: at(0),
            end_time: at(250),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
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

    fn documents(spans: Vec<SpanData>, parent: Option<u64>) -> Vec<Json> {
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "cruddur-api"),
                KeyValue::new("cloud.provider", "aws"),
                KeyValue::new("cloud.platform", "aws_lambda"),
            ])
            .build();
        let account = Account::default();
        let xray = XrayContext { parent: parent.map(SpanId::from), sampled: true };
        let finished = Finished { xray, caller: None, spans };
        let xray = Xray::new("127.0.0.1:2000".to_owned(), &resource);
        let documents = xray.documents(&[finished], &account);
        let read = |document: &Vec<u8>| {
            let body = document.strip_prefix(daemon::HEADER).expect("a header");
            serde_json::from_slice(body).expect("JSON")
        };
        documents.iter().map(read).collect()
    }

    fn document(span: SpanData) -> Json {
        let mut documents = documents(vec![span], Some(PARENT));
        assert_eq!(documents.len(), 1, "no span is lost");
        documents.remove(0)
    }

    #[test]
    fn the_invocation_is_a_subsegment_of_lambdas_own_segment() {
        let span = root(
            "GET /api/activities/{activity_uuid}",
            vec![
                KeyValue::new("http.request.method", "GET"),
                KeyValue::new("http.route", "/api/activities/{activity_uuid}"),
                KeyValue::new("url.scheme", "https"),
                KeyValue::new("server.address", "x.execute-api.eu-west-1.amazonaws.com"),
                KeyValue::new("url.path", "/api/activities/1"),
                KeyValue::new("http.response.status_code", 200),
                KeyValue::new("faas.coldstart", true),
                KeyValue::new("app.result_length", 3),
            ],
        );
        assert_eq!(
            document(span),
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
                    "response": { "status": 200 },
                },
                "annotations": { "app_result_length": 3 },
                "aws": { "xray": { "sdk": "opentelemetry for rust" } },
                "metadata": {
                    "service.name": "cruddur-api",
                    "http.route": "/api/activities/{activity_uuid}",
                    "faas.coldstart": true,
                },
            })
        );
    }

    #[test]
    fn without_a_parent_the_root_is_a_segment_by_itself() {
        let document = documents(vec![root("GET /", vec![])], None).remove(0);
        assert_eq!(document["name"], "cruddur-api");
        assert_eq!(document["origin"], "AWS::Lambda::Function");
        assert_eq!(document["type"], Json::Null);
        assert_eq!(document["parent_id"], Json::Null);
    }

    #[test]
    fn a_dynamodb_call_is_an_aws_subsegment_with_its_table() {
        let tables = Value::Array(Array::String(vec!["cruddur".into()]));
        let span = SpanData {
            span_kind: SpanKind::Client,
            ..child(
                "DynamoDB.Query",
                vec![
                    KeyValue::new("rpc.system.name", "aws-api"),
                    KeyValue::new("rpc.method", "DynamoDB/Query"),
                    KeyValue::new("cloud.region", "eu-west-1"),
                    KeyValue::new("aws.request_id", "REQ1"),
                    KeyValue::new("aws.dynamodb.table_names", tables),
                    KeyValue::new("http.response.status_code", 200),
                ],
            )
        };
        let document = document(span);
        assert_eq!(document["name"], "DynamoDB");
        assert_eq!(document["namespace"], "aws");
        assert_eq!(document["parent_id"], "1111111111111111");
        assert_eq!(
            document["aws"],
            json!({
                "operation": "Query",
                "region": "eu-west-1",
                "request_id": "REQ1",
                "table_name": "cruddur",
                "table_names": ["cruddur"],
                "xray": { "sdk": "opentelemetry for rust" },
            })
        );
    }

    #[test]
    fn a_failure_carries_its_type_as_the_cause() {
        let attributes =
            vec![KeyValue::new("http.response.status_code", 503), KeyValue::new("error.type", "throttled")];
        let document = document(SpanData { status: Status::error(""), ..root("GET /", attributes) });
        assert_eq!(document["fault"], true);
        assert_eq!(document["cause"]["exceptions"][0]["type"], "throttled");
    }

    #[test]
    fn a_clients_mistake_is_an_error_and_no_fault() {
        let document = document(root("GET /", vec![KeyValue::new("http.response.status_code", 404)]));
        assert_eq!(document["error"], true);
        assert_eq!(document["fault"], Json::Null);
    }

    #[test]
    fn what_the_translator_refuses_is_sent_nevertheless() {
        let exception = |status| {
            let mut events = SpanEvents::default();
            events.events.push(Event::new("exception", at(1), vec![KeyValue::new("exception.type", "E")], 0));
            SpanData { events, status, ..child("handled", vec![]) }
        };
        let refused = [
            child("what? {a} (b) * [c] `d` \"e\" 'f', é", vec![]),
            child("", vec![]),
            SpanData { name: "n".repeat(5000).into(), ..child("", vec![]) },
            SpanData { name: "é".repeat(5000).into(), ..child("", vec![]) },
            root("GET /", vec![KeyValue::new("url.path", format!("/{}", "a".repeat(5000)))]),
            child("url", vec![KeyValue::new("url.full", format!("https://h/{}", "ü".repeat(5000)))]),
            child("agent", vec![KeyValue::new("user_agent.original", "a".repeat(5000))]),
            child("peer", vec![KeyValue::new("peer.service", "{peer}".repeat(100))]),
            exception(Status::Unset),
            exception(Status::Ok),
            exception(Status::error("bad")),
            SpanData { status: Status::error("{}".repeat(5000)), ..child("long message", vec![]) },
            SpanData { end_time: at(0) - Duration::from_micros(1), ..child("clock step", vec![]) },
            SpanData { span_kind: SpanKind::Server, ..child("a server below the root", vec![]) },
            child("NaN", vec![KeyValue::new("app.ratio", f64::NAN), KeyValue::new("ratio", f64::INFINITY)]),
            child("annotations", (0..100).map(|n| KeyValue::new(format!("app.n{n}"), "x".repeat(2000))).collect()),
            child("twins", vec![KeyValue::new("app.a.b", 1), KeyValue::new("app.a_b", 2)]),
            child("huge", (0..100).map(|n| KeyValue::new(format!("n{n}"), "x".repeat(3000))).collect()),
        ];
        for span in refused {
            let document = document(span.clone());
            assert_eq!(document["id"], "1111111111111111", "{}", span.name);
            assert!(document["end_time"].as_f64() >= document["start_time"].as_f64());
        }
    }

    #[test]
    fn a_document_that_is_too_large_is_cut_with_a_mark() {
        let huge = child("huge", (0..100).map(|n| KeyValue::new(format!("n{n}"), "x".repeat(3000))).collect());
        assert_eq!(
            document(huge)["metadata"],
            json!({ "lambda_spans.truncated": true, "service.name": "cruddur-api" })
        );
    }

    #[test]
    fn what_is_not_sampled_is_counted_and_not_sent() {
        let account = Account::default();
        let xray = XrayContext { parent: None, sampled: false };
        let finished = Finished { xray, caller: None, spans: vec![child("x", vec![])] };
        let xray = Xray::new("127.0.0.1:2000".to_owned(), &Resource::builder_empty().build());
        assert!(xray.documents(&[finished], &account).is_empty());
        assert_eq!(account.counts(), crate::Counts { sampled_out: 1, ..Default::default() });
    }
}
