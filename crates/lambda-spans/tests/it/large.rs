//! Invocations with many spans.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{PARENT, Stack, Trace, hex};

const HTTP: &str = include_str!("../data/apigw_http.json");

/// Lets a busy machine export everything.
const BUDGET: (&str, &str) = ("LAMBDA_SPANS_BUDGET_MS", "8000");

async fn trace(path: &str, more: &[(&'static str, String)]) -> (Trace, Value, String) {
    let mut environment = vec![(BUDGET.0, BUDGET.1.to_owned())];
    environment.extend_from_slice(more);
    let mut stack = Stack::start("http", &environment).await;
    let trace = stack.invoke(&HTTP.replace("/items/42", path)).await;
    assert!(trace.answer.success, "{:?}", trace.answer);
    let ledger = stack.invoke(&HTTP.replace("/items/42", "/ledger")).await.answer.body;
    let ledger: Value = serde_json::from_str(&ledger).unwrap();
    let ledger = serde_json::from_str(ledger["body"].as_str().unwrap()).unwrap();
    (trace, ledger, stack.lambda.kill().await)
}

/// The ids of the spans in both destinations.
fn ids(trace: &Trace) -> (BTreeSet<String>, BTreeSet<String>) {
    let documents = trace.documents.iter().map(|document| document["id"].as_str().unwrap().to_owned());
    (documents.collect(), trace.spans.iter().map(|span| hex(&span.span_id)).collect())
}

fn failed(trace: &Trace) -> (usize, usize) {
    let documents = trace.documents.iter().filter(|document| document["fault"] == true);
    let spans = trace.spans.iter().filter(|span| span.status.as_ref().is_some_and(|status| status.code == 2));
    (documents.count(), spans.count())
}

fn omitted(trace: &Trace) -> (Option<u64>, Option<u64>) {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

    let attribute = trace.root().attributes.iter().find(|attribute| attribute.key == "lambda_spans.omitted");
    let value = attribute.and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    let of_otlp = value.map(|value| if let Any::IntValue(count) = value { u64::try_from(*count).unwrap() } else { 0 });
    (trace.root_document()["metadata"]["lambda_spans"]["lambda_spans.omitted"].as_u64(), of_otlp)
}

#[tokio::test]
async fn thousand_spans_arrive_in_both_destinations() {
    for arrays in ["", "true"] {
        let (trace, ledger, log) = trace("/large/1000", &[("LAMBDA_SPANS_XRAY_ARRAYS", arrays.to_owned())]).await;
        let (xray, otlp) = ids(&trace);
        // The root and the init phase.
        assert_eq!((xray.len(), xray == otlp), (1002, true));
        assert_eq!(trace.documents[0]["parent_id"], PARENT, "the root is first");
        assert_eq!((failed(&trace), omitted(&trace)), ((2, 2), (None, None)));
        assert_eq!((&ledger["xray"], &ledger["otlp"]), (&json!([1002, 0, 0, 0, 0, 0]), &json!([1002, 0, 0, 0, 0, 0])));
        assert_eq!(log.matches("further").count(), 0, "{log}");
    }
}

/// Checks that X-Ray got as many spans as the ledger says. A busy machine may lose a few datagrams.
fn assert_sent(arrived: usize, ledger: &Value, created: u64) -> u64 {
    let exported = ledger["xray"][0].as_u64().unwrap();
    assert_eq!(ledger["xray"], json!([exported, 0, 0, 0, created - exported, 0]));
    let arrived = arrived as u64;
    assert!(exported > 1000 && arrived <= exported && arrived > exported * 9 / 10, "{arrived} of {exported}");
    created - exported
}

#[tokio::test]
async fn ten_thousand_spans_arrive_by_otlp() {
    let (trace, ledger, log) = trace("/large/10000", &[]).await;
    let (xray, otlp) = ids(&trace);
    assert_eq!((otlp.len(), failed(&trace)), (10_002, (20, 20)));
    assert!(xray.is_subset(&otlp));
    let left_out = assert_sent(xray.len(), &ledger, 10_002);
    assert_eq!(omitted(&trace), (Some(left_out), None));
    assert_eq!(ledger["otlp"], json!([10_002, 0, 0, 0, 0, 0]));
    assert_eq!(log.matches("further").count(), 1, "{log}");
}

#[tokio::test]
async fn root_and_errors_of_17000_spans_arrive() {
    let (trace, ledger, log) = trace("/large/17000", &[]).await;
    let (xray, otlp) = ids(&trace);
    assert_eq!((otlp.len(), failed(&trace)), (16_384, (34, 34)));
    let left_out = assert_sent(xray.len(), &ledger, 17_002);
    assert_eq!(omitted(&trace), (Some(left_out), Some(618)));
    assert_eq!(ledger["otlp"], json!([16_384, 0, 0, 0, 618, 0]));
    assert_eq!(log.matches("further").count(), 2, "{log}");
}

#[tokio::test]
async fn deep_nesting_overflows_no_stack() {
    let (trace, ledger, log) = trace("/deep/10000", &[]).await;
    let (xray, otlp) = ids(&trace);
    assert_eq!(otlp.len(), 10_002);
    assert!(xray.len() > 1000, "{}", xray.len());
    assert_eq!(ledger["otlp"], json!([10_002, 0, 0, 0, 0, 0]));
    assert!(!log.contains("overflow"), "{log}");
}
