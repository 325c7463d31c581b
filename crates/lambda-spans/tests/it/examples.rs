use crate::support::{Stack, Trace};

async fn run(example: &str, event: &str) -> Trace {
    let trace = Stack::start_example(example, "", &[]).await.invoke(event).await;
    assert!(trace.answer.success, "{:?}", trace.answer);
    trace
}

/// The names of a trace's spans without the init phase, in the order in which they end.
fn names(trace: &Trace) -> Vec<&str> {
    let (init, spans) = trace.spans.split_first().unwrap();
    assert_eq!(init.name, "init");
    spans.iter().map(|span| span.name.as_str()).collect()
}

#[tokio::test]
async fn examples_produce_their_documented_traces() {
    let three = run("three_spans", r#"{"a": 1}"#).await;
    assert_eq!((three.answer.body.as_str(), names(&three)), (r#"{"length":1}"#, vec!["read", "write", "cruddur-api"]));
    assert_eq!(three.span("read").attributes.len(), 4);
    assert_eq!(three.span("write").attributes.len(), 4);

    let plain = run("plain_handler", r#"{"items": [1, 2]}"#).await;
    assert_eq!((plain.answer.body.as_str(), names(&plain)), (r#"{"total":6}"#, vec!["price", "cruddur-api"]));

    let own = run("own_runtime", "{}").await;
    assert_eq!((own.answer.body.as_str(), names(&own)), (r#"{"audited":true}"#, vec!["audit", "cruddur-api"]));
    assert_eq!(own.span("audit").parent_span_id, own.root().span_id);

    let router = run("axum_router", include_str!("../data/alb.json")).await;
    assert_eq!(names(&router), ["look-up", "item", "GET /items/{id}"]);

    let consumer = run("stream_consumer", include_str!("../data/dynamodb.json")).await;
    assert_eq!(names(&consumer), ["record", "record", "record", "process cruddur"]);

    let url = include_str!("../data/function_url.json").replace("/fail", "/report");
    let streaming = run("response_streaming", &url).await;
    assert_eq!(streaming.answer.body.matches("page ").count(), 10);
    assert_eq!(streaming.spans.iter().filter(|span| span.name == "page").count(), 11);
    assert_eq!(streaming.root().name, "GET /report");
}
