//! The traces of each function, in both destinations.

use std::time::Duration;

use lambda_harness::{Event, Lambda, OtlpReceiver, XrayDaemon};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use crate::services::{Received, Services};
use crate::text;

const TRACE: &str = "Root=1-6925a400-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1";
const SPAN_OF_LAMBDA: &str = "53995c3f42cd8ad8";

struct Stack {
    lambda: Lambda,
    otlp: OtlpReceiver,
    xray: XrayDaemon,
    services: Services,
}

/// One invocation: its response, and what arrived.
struct Invocation {
    success: bool,
    body: String,
    spans: Vec<Span>,
    documents: Vec<Value>,
}

impl Stack {
    async fn start(binary: &str) -> Self {
        let (otlp, xray, services) = (OtlpReceiver::start().await, XrayDaemon::start().await, Services::start().await);
        let environment = [
            ("AWS_XRAY_DAEMON_ADDRESS", xray.address()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint()),
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "id".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_ENDPOINT_URL", services.url.clone()),
            ("PRICES_URL", services.url.clone()),
            ("TABLE_NAME", "orders".to_owned()),
            ("QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/deliveries".to_owned()),
        ];
        Self { lambda: Lambda::start(binary, &environment).await, otlp, xray, services }
    }

    async fn invoke(&mut self, payload: &str) -> Invocation {
        let known = self.otlp.collected().spans.len();
        let event =
            Event { payload: payload.to_owned(), trace_header: TRACE.to_owned(), timeout: Duration::from_secs(10) };
        let result = self.lambda.invoke(event).await;
        self.lambda.wait_until_frozen().await;
        let spans = self.otlp.collected().spans.into_iter().skip(known).map(|(_, span)| span).collect();
        Invocation { success: result.success, body: result.body, spans, documents: self.xray.take().await }
    }

    /// Compares the trace of an invocation with the files of its name. The span `init` is part of the first trace only,
    /// and depends on the machine.
    fn assert_trace(&self, name: &str, invocation: &Invocation) {
        let port = self.services.url.rsplit(':').next().unwrap();
        let spans: Vec<_> = invocation.spans.iter().filter(|span| span.name != "init").cloned().collect();
        let documents: Vec<_> =
            invocation.documents.iter().filter(|document| document["name"] != "init").cloned().collect();
        assert!(documents.iter().any(|document| document["parent_id"] == SPAN_OF_LAMBDA));
        text::assert_snapshot(&format!("{name}.otlp.txt"), &text::otlp(&spans, port));
        text::assert_snapshot(&format!("{name}.xray.json"), &text::xray(&documents, port));
    }
}

fn request(method: &str, path: &str, body: &str) -> String {
    serde_json::json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "orders.example.com", "content-type": "application/json", "x-forwarded-proto": "https" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1",
            "domainName": "orders.example.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl/8.5.0"
            },
            "requestId": "R0",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_348_800_000_u64
        },
        "body": body,
        "isBase64Encoded": false
    })
    .to_string()
}

fn header<'a>(received: &'a Received, name: &str) -> &'a str {
    received.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn order_is_one_trace_in_both_destinations() {
    let mut function = Stack::start(env!("CARGO_BIN_EXE_adopter-api")).await;
    let created = function.invoke(&request("POST", "/orders", r#"{"item": "lamp", "quantity": 2}"#)).await;
    assert!(created.success && created.body.contains("201"), "{}", created.body);
    function.assert_trace("create", &created);
    let price = function.services.received().await;
    assert_eq!(price.path, "/prices/lamp");
    assert!(header(&price, "traceparent").starts_with("00-6925a400000000000000000000000001-"));
    assert!(header(&price, "x-amzn-trace-id").starts_with("Root=1-6925a400-000000000000000000000001;Parent="));

    let [_put, sent] = [function.services.received().await, function.services.received().await];
    assert!(is_traceparent(&sent.body["MessageAttributes"]["traceparent"]["StringValue"]), "{}", sent.body);

    let shown = function.invoke(&request("GET", "/orders/42", "")).await;
    assert!(shown.body.contains("200"), "{}", shown.body);
    function.assert_trace("show", &shown);

    let unknown = function.invoke(&request("POST", "/orders", r#"{"item": "sofa", "quantity": 1}"#)).await;
    assert!(unknown.body.contains("503"), "{}", unknown.body);
    function.assert_trace("unknown-price", &unknown);
}

/// Returns whether `value` is a `traceparent` of the invocation's trace.
fn is_traceparent(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 55 && text.starts_with("00-6925a400000000000000000000000001-")
}

#[tokio::test]
async fn announcement_carries_the_context_to_each_service() {
    let mut function = Stack::start(env!("CARGO_BIN_EXE_adopter-api")).await;
    let announced = function.invoke(&request("POST", "/orders/42/announcements", "")).await;
    assert!(announced.body.contains("202"), "{}", announced.body);
    function.assert_trace("announce", &announced);
    let notification = function.services.received().await.body;
    let notification = notification.as_str().unwrap();
    assert!(
        notification.contains("Name=traceparent&") && notification.contains("=00-6925a400000000000000000000000001-")
    );
    let put = function.services.received().await.body;
    let detail: Value = serde_json::from_str(put["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
    assert!(is_traceparent(&detail["traceparent"]), "{detail}");
    let invoked = function.services.received().await;
    assert_eq!(invoked.path, "/2015-03-31/functions/invoices/invocations");
    assert!(is_traceparent(&invoked.body["traceparent"]), "{}", invoked.body);
}

#[tokio::test]
async fn batch_continues_each_sender_and_retries_one() {
    let mut function = Stack::start(env!("CARGO_BIN_EXE_adopter-queue")).await;
    let message = |id: &str, body: &str, attributes: Value, message_attributes: Value| {
        serde_json::json!({
            "messageId": id,
            "receiptHandle": "h",
            "body": body,
            "attributes": attributes,
            "messageAttributes": message_attributes,
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:deliveries",
            "awsRegion": "eu-west-1"
        })
    };
    let xray = "Root=1-6925a400-0000000000000000000000aa;Parent=00000000000000aa;Sampled=1";
    let w3c = serde_json::json!({ "traceparent": {
        "stringValue": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String"
    } });
    let event = serde_json::json!({ "Records": [
        message("m1", r#"{"id": "41"}"#, serde_json::json!({ "AWSTraceHeader": xray }), serde_json::json!({})),
        message("m2", r#"{"id": "42"}"#, serde_json::json!({}), w3c),
        message("m3", "no order", serde_json::json!({}), serde_json::json!({})),
    ] });
    let batch = function.invoke(&event.to_string()).await;
    assert_eq!(batch.body, r#"{"batchItemFailures":[{"itemIdentifier":"m3"}]}"#);
    function.assert_trace("batch", &batch);
}

#[tokio::test]
async fn own_runtime_traces_its_timeout() {
    let mut function = Stack::start(env!("CARGO_BIN_EXE_adopter-runtime")).await;
    let report = function.invoke(r#"{"slow": false, "customer": "Ada"}"#).await;
    assert_eq!(report.body, r#"{"orders":3}"#);
    function.assert_trace("report", &report);
    let slow = function.invoke(r#"{"slow": true, "customer": "Ada"}"#).await;
    assert!(!slow.success);
    function.assert_trace("slow-report", &slow);
    let (_, log) = function.lambda.terminate().await;
    assert!(log.contains("the process ends"), "{log}");
}
