use super::*;

fn with_id(id: u64, parent: u64, span: SpanData) -> SpanData {
    let context = &span.span_context;
    let span_context =
        SpanContext::new(context.trace_id(), SpanId::from(id), TraceFlags::SAMPLED, false, TraceState::NONE);
    SpanData { span_context, parent_span_id: SpanId::from(parent), ..span }
}

fn documents(spans: Vec<SpanData>) -> Vec<Json> {
    let finished = FinishedSpans {
        xray: XrayContext { parent: Some(SpanId::from(PARENT)), sampled: true },
        otlp: Decision::SampleOut,
        destinations: Destinations::ALL,
        caller: None,
        root: SpanId::INVALID,
        orphan: false,
        spans,
    };
    let documents = xray("127.0.0.1:2000").documents(&[finished], &Account::default());
    documents.iter().map(|document| read(&document.datagram)).collect()
}

#[test]
fn invocation_is_one_document_with_nested_spans() {
    let documents = documents(vec![
        with_id(3, 2, child("grandchild", vec![])),
        with_id(2, ROOT_ID, child("child", vec![])),
        with_id(4, 99, child("of a span that has not ended", vec![])),
        root("root", vec![]),
    ]);
    assert_eq!(documents.len(), 2);
    assert_eq!(
        (&documents[0]["name"], &documents[1]["name"]),
        (&json!("of a span that has not ended"), &json!("root"))
    );
    assert_eq!(documents[0]["parent_id"], "0000000000000063");
    assert_eq!(
        documents[1]["subsegments"],
        json!([{
            "name": "child",
            "id": "0000000000000002",
            "start_time": 1_700_000_000.0,
            "end_time": 1_700_000_000.25,
            "subsegments": [{
                "name": "grandchild",
                "id": "0000000000000003",
                "start_time": 1_700_000_000.0,
                "end_time": 1_700_000_000.25,
            }],
        }])
    );
}

#[test]
fn large_invocation_is_one_document_per_span() {
    let long = |name| child(name, vec![KeyValue::new("long", "x".repeat(40_000))]);
    let documents = documents(vec![root("root", vec![]), with_id(2, ROOT_ID, long("a")), with_id(3, 2, long("b"))]);
    let shown: Vec<_> = documents.iter().map(|document| (&document["name"], &document["parent_id"])).collect();
    assert_eq!(
        shown,
        [
            (&json!("root"), &json!("53995c3f42cd8ad8")),
            (&json!("a"), &json!("1111111111111111")),
            (&json!("b"), &json!("0000000000000002")),
        ]
    );
    assert_eq!(documents[1]["metadata"]["default"]["long"].as_str().unwrap().len(), 40_000);
}
