//! The real `stream` binary in a Lambda that freezes it.

use std::collections::BTreeMap;
use std::time::Duration;

use lambda_harness::{Event, Lambda, OtlpReceiver, XrayDaemon};
use serde_json::{Value, json};

use crate::support::{QUEUE_URL, Queue, TABLE, TestApp, hours};

const TRACE: &str = "Root=1-6925a400-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1";

#[tokio::test]
async fn stream_batch_is_one_trace_linked_to_its_writers() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "Hello @worf", "1-day").await;
    let endpoint = app.endpoint().await;
    let (xray, otlp) = (XrayDaemon::start().await, OtlpReceiver::start().await);
    let environment = [
        ("TABLE_NAME", TABLE.to_owned()),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_XRAY_DAEMON_ADDRESS", xray.address()),
        ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint()),
    ];
    let mut function = Lambda::start(env!("CARGO_BIN_EXE_stream"), &environment).await;

    let mut batch: Value = serde_json::from_str(include_str!("../../events/stream/bad_record.json")).unwrap();
    let mut good = app.records().pop().unwrap();
    good["dynamodb"]["NewImage"]["trace_context"] = json!({ "S": crate::support::TRACEPARENT });
    batch["Records"][0]["dynamodb"] = good["dynamodb"].clone();
    let timeout = Duration::from_secs(30);
    let event = Event { payload: batch.to_string(), trace_header: TRACE.to_owned(), timeout };
    let answer = function.invoke(event).await;
    let failures: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(failures, json!({ "batchItemFailures": [{ "itemIdentifier": "4421584500000000017450439093" }] }));
    function.wait_until_frozen().await;
    assert_eq!(app.get_as("demo-worf", "/api/activities/notifications").await.messages(), ["Hello @worf"]);

    let trace = "6925a400000000000000000000000001";
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spans = otlp.collected().spans.into_iter().map(|(_, span)| span);
    let spans: Vec<_> = spans.filter(|span| hex(&span.trace_id) == trace).collect();
    let parents: BTreeMap<_, _> = spans.iter().map(|span| (span.name.as_str(), hex(&span.parent_span_id))).collect();
    let id = |name: &str| hex(&spans.iter().find(|span| span.name == name).unwrap().span_id);
    let root = "process cruddur-Table-1K2L3M4N5O6P7";
    assert_eq!(parents[root], "");
    assert_eq!(parents["activity-written"], id(root));
    assert_eq!(parents["notify"], id("activity-written"));
    assert_eq!(parents["index-words"], id("activity-written"));
    let record = spans.iter().find(|span| span.name == "activity-written").unwrap();
    let links: Vec<_> = record.links.iter().map(|link| hex(&link.trace_id)).collect();
    assert_eq!(links, ["4bf92f3577b34da6a3ce929d0e0e4736"]);
    let log = function.kill().await;
    let line = log.lines().find(|line| line.contains("the stream record is invalid")).unwrap();
    assert!(line.contains(trace) && line.contains("69210005000000000000000000000001"), "{line}");
    assert!(!log.contains("Hello"), "{log}");
}

#[tokio::test]
async fn dead_letter_has_the_trace_of_the_invocation() {
    let app = TestApp::new().await;
    let (xray, queue) = (XrayDaemon::start().await, Queue::start(200).await);
    let environment = [
        ("TABLE_NAME", TABLE.to_owned()),
        ("DEAD_LETTERS_URL", QUEUE_URL.to_owned()),
        ("AWS_ENDPOINT_URL", app.endpoint().await),
        ("AWS_ENDPOINT_URL_SQS", queue.endpoint().to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", xray.address()),
    ];
    let mut function = Lambda::start(env!("CARGO_BIN_EXE_stream"), &environment).await;
    let payload = include_str!("../../events/stream/bad_record.json").to_owned();
    let event = Event { payload, trace_header: TRACE.to_owned(), timeout: Duration::from_secs(30) };
    assert_eq!(function.invoke(event).await.body, r#"{"batchItemFailures":[]}"#);
    function.wait_until_frozen().await;
    let letters = queue.received();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["sequence_number"], "4421584500000000017450439093");
    assert_eq!(letters[0]["trace_id"], "6925a400000000000000000000000001");
    function.kill().await;
}
