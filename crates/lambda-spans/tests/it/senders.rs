use serde_json::{Value, json};

use crate::support::{CLIENT_SPAN_ID, CLIENT_TRACE_ID, ROOT, Span, Stack, TRACE_ID, Trace, hex, links, summary};

/// The first record has an X-Ray header, the second a `traceparent`, and the third an invalid header.
const SQS: &str = include_str!("../data/sqs.json");
const SENDER_TRACE_ID: &str = "6925a3f0000000000000000000000001";
const SENDER_SPAN_ID: &str = "00000000000000a1";

/// The spans of this name in the order in which they started.
fn named<'a>(trace: &'a Trace, name: &str) -> Vec<&'a Span> {
    let mut spans: Vec<_> = trace.spans.iter().filter(|span| span.name == name).collect();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    spans
}

fn place(span: &Span) -> (String, String) {
    (hex(&span.trace_id), hex(&span.parent_span_id))
}

fn link(trace_id: &str, span_id: &str) -> Vec<(String, String)> {
    vec![(trace_id.to_owned(), span_id.to_owned())]
}

/// The expected answer for a record.
fn answer(found: bool, trace_id: &str, work: &Span) -> Value {
    let span = hex(&work.span_id);
    let pairs = json!({
        "traceparent": format!("00-{trace_id}-{span}-01"),
        "X-Amzn-Trace-Id": format!("Root={ROOT};Parent={span};Sampled=1;Lineage=1:a87bd80c:0"),
    });
    json!({ "found": found, "trace_id": trace_id, "pairs": pairs })
}

/// The links of the records in X-Ray, where all documents are in the trace of the invocation.
fn xray_links(trace: &Trace) -> Vec<Value> {
    assert!(trace.documents.iter().all(|document| document["trace_id"] == ROOT));
    let mut records: Vec<_> = trace.documents.iter().filter(|document| document["name"] == "record").collect();
    records.sort_by(|one, other| one["start_time"].as_f64().unwrap().total_cmp(&other["start_time"].as_f64().unwrap()));
    records.iter().map(|document| document["metadata"]["lambda_spans"]["links"].clone()).collect()
}

fn senders() -> Vec<Value> {
    vec![
        json!([{ "trace_id": SENDER_TRACE_ID, "span_id": SENDER_SPAN_ID }]),
        json!([{ "trace_id": CLIENT_TRACE_ID, "span_id": CLIENT_SPAN_ID }]),
        Value::Null,
    ]
}

#[tokio::test]
async fn record_links_to_its_sender_by_default() {
    let trace = Stack::start("records", &[]).await.invoke(SQS).await;
    let root = hex(&trace.root().span_id);
    let records = named(&trace, "record");
    for record in &records {
        assert_eq!(place(record), (TRACE_ID.to_owned(), root.clone()));
    }
    let linked: Vec<_> = records.iter().map(|record| links(record)).collect();
    assert_eq!(linked, [link(SENDER_TRACE_ID, SENDER_SPAN_ID), link(CLIENT_TRACE_ID, CLIENT_SPAN_ID), vec![]]);
    assert_eq!(xray_links(&trace), senders());
    let work = named(&trace, "work");
    let expected = [answer(true, TRACE_ID, work[0]), answer(true, TRACE_ID, work[1]), answer(false, TRACE_ID, work[2])];
    assert_eq!(serde_json::from_str::<Value>(&trace.answer.body).unwrap(), json!(expected));
}

#[tokio::test]
async fn trusted_sender_is_the_parent_of_its_record() {
    let mut function = Stack::start("records", &[("LAMBDA_SPANS_CONTEXT", "caller".to_owned())]).await;
    let trace = function.invoke(SQS).await;
    let root = trace.span("process orders");
    let root_id = hex(&root.span_id);
    assert_eq!(place(root), (TRACE_ID.to_owned(), String::new()));
    let (records, work) = (named(&trace, "record"), named(&trace, "work"));
    let places: Vec<_> = records.iter().map(|record| place(record)).collect();
    let parents = [(SENDER_TRACE_ID, SENDER_SPAN_ID), (CLIENT_TRACE_ID, CLIENT_SPAN_ID), (TRACE_ID, &*root_id)];
    assert_eq!(places, parents.map(|(trace_id, parent)| (trace_id.to_owned(), parent.to_owned())));
    for ((work, record), (trace_id, _)) in work.iter().zip(&records).zip(parents) {
        assert_eq!(place(work), (trace_id.to_owned(), hex(&record.span_id)));
        assert_eq!((links(work), work.trace_state.as_str()), (vec![], ""));
    }
    // Both traces are connected.
    let linked: Vec<_> = records.iter().map(|record| links(record)).collect();
    assert_eq!(linked, [link(TRACE_ID, &root_id), link(TRACE_ID, &root_id), vec![]]);
    assert_eq!(summary(records[0]).3["aws.xray.trace_id"], ROOT);
    assert_eq!(place(trace.span("after")), (TRACE_ID.to_owned(), root_id));
    assert_eq!(xray_links(&trace), senders());

    let expected = [
        answer(true, SENDER_TRACE_ID, work[0]),
        answer(true, CLIENT_TRACE_ID, work[1]),
        answer(false, TRACE_ID, work[2]),
    ];
    assert_eq!(serde_json::from_str::<Value>(&trace.answer.body).unwrap(), json!(expected));
    let log = function.lambda.kill().await;
    let lines = log.lines().filter(|line| line.contains("\"asked\""));
    let logged: Vec<_> = lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["trace_id"].clone(), line["xray_trace_id"].clone()))
        .collect();
    let expected = [SENDER_TRACE_ID, CLIENT_TRACE_ID, TRACE_ID, TRACE_ID].map(|id| (json!(id), json!(ROOT)));
    assert_eq!(logged, expected);
}

#[tokio::test]
async fn invocation_can_continue_the_trace_of_its_record() {
    let environment = [("LAMBDA_SPANS_CONTEXT", "caller".to_owned()), ("RESPONSE", "null".to_owned())];
    let mut function = Stack::start("records", &environment).await;
    let trace = function.invoke(SQS).await;
    let root = trace.span("process orders");
    assert_eq!(place(root), (SENDER_TRACE_ID.to_owned(), SENDER_SPAN_ID.to_owned()));
    assert_eq!(links(root), link(CLIENT_TRACE_ID, CLIENT_SPAN_ID));
    assert_eq!(place(trace.span("after")), (SENDER_TRACE_ID.to_owned(), hex(&root.span_id)));
    assert_eq!(summary(root).3["aws.xray.trace_id"], ROOT);
    xray_links(&trace);
}

#[tokio::test]
async fn failed_invocation_keeps_the_spans_of_all_traces() {
    let sampled = |response: &str| {
        [
            ("LAMBDA_SPANS_CONTEXT", "caller".to_owned()),
            ("LAMBDA_SPANS_SAMPLE_RATE", "1000000".to_owned()),
            ("LAMBDA_SPANS_SAMPLE_KEY", "key".to_owned()),
            ("RESPONSE", response.to_owned()),
        ]
    };
    let trace = Stack::start("records", &sampled("error")).await.invoke(SQS).await;
    let records: Vec<_> = named(&trace, "record").into_iter().map(|record| hex(&record.trace_id)).collect();
    assert_eq!(records, [SENDER_TRACE_ID, CLIENT_TRACE_ID, TRACE_ID]);
    assert_eq!(named(&trace, "work").len(), 3);
    let trace = Stack::start("records", &sampled("null")).await.invoke(SQS).await;
    assert_eq!(trace.spans, []);
}
