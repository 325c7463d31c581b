//! `POST /v1/traces`: which spans of a page arrive at the OTLP receiver, and how hostile input is rejected.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use cruddur::api::{self, AppState, BrowserSpans};
use lambda_harness::{OtlpReceiver, XrayDaemon};
use lambda_spans::{Ledger, Settings, Spans};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Answer, ORIGIN, TestApp, answer, request};

const PATH: &str = "/v1/traces";
const TRACE_ID: &str = "6b02d940bd862e3fe1be46a994272793";
/// 2026-11-22T12:00:00Z, the time of the tests.
const NOW: u64 = 1_795_348_800;

/// The API with tracing, an OTLP receiver and an X-Ray daemon.
struct Page {
    spans: Spans,
    router: Router,
    otlp: OtlpReceiver,
    xray: XrayDaemon,
}

impl Page {
    async fn new(settings: impl FnOnce(Settings) -> Settings) -> Self {
        let (otlp, xray) = (OtlpReceiver::start().await, XrayDaemon::start().await);
        let read = Settings::from_lookup(|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(otlp.endpoint()),
            "AWS_XRAY_DAEMON_ADDRESS" => Some(xray.address()),
            "OTEL_RESOURCE_ATTRIBUTES" => Some("deployment.environment.name=test,team=feed".to_owned()),
            _ => None,
        });
        let (app, spans) = (TestApp::new().await, Spans::new(&settings(read)));
        let browser_spans = Some(BrowserSpans::new(&spans, [ORIGIN.to_owned()].into_iter().collect()));
        let router = spans.server(api::router(AppState { browser_spans, ..app.state.clone() }));
        Self { spans, router, otlp, xray }
    }

    async fn send(&self, body: &Value) -> Answer {
        self.send_request(post(&body.to_string())).await
    }

    async fn send_request(&self, request: Request<Body>) -> Answer {
        let subscriber = tracing_subscriber::registry().with(self.spans.tracing_layer());
        let _recording = tracing::subscriber::set_default(subscriber);
        answer(self.router.clone(), request).await
    }

    /// Exports everything. Returns the spans with their resources, and the counts.
    async fn finish(self) -> (Vec<(Vec<(String, String)>, Span)>, Vec<Value>, Ledger) {
        self.spans.shutdown(Duration::from_secs(10)).await;
        (self.otlp.collected().spans, self.xray.take().await, self.spans.ledger())
    }
}

fn post(body: &str) -> Request<Body> {
    let request = request("POST", PATH).header("content-type", "application/json").header("origin", ORIGIN);
    request.header("accept", "application/problem+json").body(Body::from(body.to_owned())).unwrap()
}

fn span(id: u64) -> Value {
    json!({
        "traceId": TRACE_ID, "spanId": format!("{id:016x}"), "name": format!("span {id}"), "kind": 3,
        "startTimeUnixNano": (NOW * 1_000_000_000).to_string(),
        "endTimeUnixNano": (NOW * 1_000_000_000 + 1_000_000).to_string(),
    })
}

fn export(spans: impl IntoIterator<Item = Value>) -> Value {
    let spans: Vec<_> = spans.into_iter().collect();
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "forged" } }] });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": {}, "spans": spans }] }] })
}

fn attributes(list: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &AnyValue| {
        if let AnyValue::StringValue(text) = value {
            text.clone()
        } else if let AnyValue::IntValue(number) = value {
            number.to_string()
        } else {
            format!("{value:?}")
        }
    };
    let value = |attribute: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        attribute.value.as_ref().and_then(|value| value.value.as_ref()).map(text).unwrap_or_default()
    };
    list.iter().map(|attribute| (attribute.key.clone(), value(attribute))).collect()
}

#[tokio::test]
async fn spans_of_a_page_arrive_under_their_service() {
    let page = Page::new(|settings| settings).await;
    let mut child = span(2);
    child["parentSpanId"] = span(1)["spanId"].clone();
    child["attributes"] = json!([
        { "key": "url.path", "value": { "stringValue": "/api/activities/search?term=secret" } },
        { "key": "http.response.status_code", "value": { "intValue": "200" } },
        { "key": "user.email", "value": { "stringValue": "secret@example.com" } },
    ]);
    let answer = page.send(&export([span(1), child])).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({ "partialSuccess": {} })));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (spans, documents, ledger) = page.finish().await;
    assert_eq!(spans.len(), 2, "the request that carries spans has no trace");
    for (resource, span) in &spans {
        let expected = [("deployment.environment.name", "test"), ("service.name", "cruddur-web")];
        let found: BTreeMap<_, _> = resource.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected.into());
        assert_eq!(hex(&span.trace_id), TRACE_ID);
    }
    let child = spans.iter().map(|(_, span)| span).find(|span| span.name == "span 2").unwrap();
    assert_eq!(
        (hex(&child.parent_span_id), child.kind, child.dropped_attributes_count),
        ("0000000000000001".to_owned(), 3, 1)
    );
    let expected = [("url.path", "/api/activities/search"), ("http.response.status_code", "200")];
    assert_eq!(attributes(&child.attributes), expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    assert!(!format!("{spans:?}").contains("secret"));
    assert_eq!(documents, Vec::<Value>::new());
    let forwarded = ledger.forwarded;
    assert_eq!((forwarded.accepted, forwarded.rejected, forwarded.dropped), (2, 0, 0));
    // The spans of the page, and those of the request that carried them.
    assert_eq!((ledger.otlp.exported, ledger.otlp.sampled_out), (2, ledger.created - 2));
    assert_eq!(ledger.xray.sampled_out, ledger.created);
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn invalid_spans_are_rejected_one_by_one() {
    let page = Page::new(|settings| settings).await;
    let mut bad = span(2);
    bad["traceId"] = json!("4bf92f3577b34da6a3ce929d0e0e4736");
    let answer = page.send(&export([span(1), bad, json!({}), span(3)])).await;
    assert_eq!((answer.status, &answer.body["partialSuccess"]["rejectedSpans"]), (200, &json!("2")));
    let answer = page.send(&export((1..=130).map(span))).await;
    assert_eq!((answer.status, &answer.body["partialSuccess"]["rejectedSpans"]), (200, &json!("30")));
    let (spans, _, ledger) = page.finish().await;
    assert_eq!((spans.len(), ledger.forwarded.accepted, ledger.forwarded.rejected), (102, 102, 32));
}

#[tokio::test]
async fn hostile_spans_are_rejected_or_ignored() {
    let page = Page::new(|settings| settings).await;
    let deep = |open: &str, close: &str| [open.repeat(2_000), close.repeat(2_000)].concat();
    for (body, status) in [
        ("", 400),
        ("null", 400),
        ("[]", 400),
        ("\"x\"", 400),
        ("{\"resourceSpans\": {}}", 400),
        ("{\"resourceSpans\": [[]]}", 400),
        ("{\"resourceSpans\": [{\"scopeSpans\": [[[]]]}]}", 400),
        ("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [5]}]}]}", 400),
        ("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": \"x\"}]}]}", 400),
        ("{\"resourceSpans\": []} {}", 400),
        ("{\"resourceSpans\": [", 400),
        // Members that OTLP does not have are skipped at any depth.
        (&deep("{\"resourceSpans\": [", "]}"), 200),
        (&deep("[", "]"), 400),
        (&format!("{{\"x\": \"{}\"}}", "x".repeat(64 * 1024)), 413),
        ("{}", 200),
        ("{\"other\": [1, {\"x\": null}]}", 200),
        ("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"attributes\": 5, \"events\": \"x\"}]}]}]}", 200),
    ] {
        let answer = page.send_request(post(body)).await;
        assert_eq!(answer.status, status, "{}: {}", &body[..body.len().min(60)], answer.body);
    }
    let mut hostile = span(1);
    for (member, value) in [
        ("name", json!("<img src=x onerror=alert(1)>")),
        (
            "attributes",
            json!([null, 5, [], {}, { "key": 5 }, { "key": "app.page" }, { "key": "app.page", "value": {} }]),
        ),
        ("events", json!([null, 5, {}, { "name": "exception" }, { "name": "exception", "timeUnixNano": "x" }])),
        ("links", json!("x")),
        ("status", json!([2])),
        ("kind", json!("SPAN_KIND_CLIENT")),
    ] {
        hostile[member] = value;
    }
    assert_eq!(page.send(&export([hostile])).await.body, json!({ "partialSuccess": {} }));
    let (spans, _, ledger) = page.finish().await;
    let [(_, span)] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((span.attributes.len(), span.dropped_attributes_count, span.events.len(), span.kind), (0, 7, 0, 1));
    assert_eq!(ledger.forwarded.rejected, 1);
}

#[tokio::test]
async fn other_pages_and_other_media_are_rejected() {
    let page = Page::new(|settings| settings).await;
    let body = export([span(1)]).to_string();
    for origins in [&[][..], &["https://evil.example"], &["null"], &[ORIGIN, ORIGIN], &["http://cruddur.example"]] {
        let mut request = post(&body);
        request.headers_mut().remove("origin");
        for origin in origins {
            request.headers_mut().append("origin", origin.parse().unwrap());
        }
        page.send_request(request).await.assert_error(403, "forbidden");
    }
    for (name, value, code) in [
        ("content-type", "application/x-protobuf", "unsupported_media_type"),
        ("content-type", "text/plain", "unsupported_media_type"),
        ("content-encoding", "gzip", "unsupported_content_encoding"),
    ] {
        let mut request = post(&body);
        request.headers_mut().insert(name, value.parse().unwrap());
        page.send_request(request).await.assert_error(415, code);
    }
    let (spans, _, ledger) = page.finish().await;
    assert_eq!((spans.len(), ledger.forwarded.accepted), (0, 0));
}

#[tokio::test]
async fn route_is_absent_unless_it_is_on() {
    let app = TestApp::new().await;
    let router = api::router(AppState { browser_spans: None, ..app.state.clone() });
    answer(router, post("{}")).await.assert_error(404, "not_found");
}

#[tokio::test]
async fn page_span_is_the_parent_in_one_trace() {
    let page = Page::new(Settings::with_adopted_trace_ids).await;
    // The server checks the age of the id by its own clock.
    let now = cruddur::clock::Clock::system().now().as_second();
    let trace_id = format!("{now:08x}bd862e3fe1be46a994272793");
    let root = format!("1-{now:08x}-bd862e3fe1be46a994272793");
    let home = request("GET", "/api/activities/home")
        .header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"))
        .header("x-amzn-trace-id", format!("Root={root}"));
    let answer = page.send_request(home.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("x-trace-id")), (200, Some(&*trace_id)));
    let (spans, documents, _) = page.finish().await;
    assert!(spans.iter().all(|(_, span)| hex(&span.trace_id) == trace_id));
    let server = spans.iter().map(|(_, span)| span).find(|span| span.kind == 2).unwrap();
    assert_eq!((hex(&server.parent_span_id).as_str(), server.links.len()), ("00f067aa0ba902b7", 0));
    assert!(!documents.is_empty() && documents.iter().all(|document| document["trace_id"] == root));
    assert_eq!(documents.iter().filter(|document| document["parent_id"].is_null()).count(), 1);
}

#[tokio::test]
async fn preflight_of_a_page_is_answered() {
    let app = TestApp::new().await;
    let preflight = request("OPTIONS", PATH).header("origin", ORIGIN).header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", "content-type");
    let answer = app.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(ORIGIN)));
}
