//! Own layers and subscribers, and the limits of a span.

use serde_json::Value;

use crate::support::{ROOT, Stack, TRACE_ID, hex, values};

const ALB: &str = include_str!("../data/alb.json");

/// The lines of a log that are JSON and have this message.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

#[tokio::test]
async fn further_layer_has_its_own_filter() {
    let mut stack = Stack::start_example("own_layers", "", &[]).await;
    let trace = stack.invoke(ALB).await;
    assert_eq!(values(trace.root())["app.tenant"], "acme");
    assert_eq!(values(trace.root())["http.response.status_code"], "int 502");
    let log = stack.lambda.kill().await;
    let reports: Vec<_> = log.lines().filter(|line| line.starts_with("report ")).collect();
    assert_eq!(reports, [format!("report ERROR {TRACE_ID}")]);
    assert_eq!((lines(&log, "reported").len(), lines(&log, "not reported").len()), (1, 1));
}

#[tokio::test]
async fn log_layer_of_an_own_subscriber_has_ids() {
    let mut stack = Stack::start_example("own_subscriber", "", &[]).await;
    let trace = stack.invoke(ALB).await;
    assert_eq!(trace.root().name, "GET /items/{id}");
    let log = stack.lambda.kill().await;
    assert_eq!(lines(&log, "looked up").len(), 0);
    let found = lines(&log, "found").remove(0);
    let request_id = &values(trace.root())["faas.invocation_id"];
    let ids = ["trace_id", "xray_trace_id", "requestId"].map(|name| found[name].as_str().unwrap());
    assert_eq!(ids, [TRACE_ID, ROOT, request_id]);
    let span_id = hex(&trace.root().span_id);
    assert_eq!((found["span_id"].as_str().unwrap(), &found["fields"]["count"]), (span_id.as_str(), &Value::from(1)));
}

#[tokio::test]
async fn dropped_attributes_are_counted_over_otlp() {
    let limit = [("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1".to_owned())];
    let mut stack = Stack::start_example("three_spans", "", &limit).await;
    let trace = stack.invoke(r#"{"a": 1}"#).await;
    let read = trace.span("read");
    assert_eq!((read.attributes.len(), read.dropped_attributes_count), (1, 3));
    let root = trace.root();
    assert!(values(root).contains_key("faas.trigger") && values(root).contains_key("cloud.resource_id"));
    assert_eq!(root.dropped_attributes_count, 0);
}
