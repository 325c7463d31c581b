use serde_json::Value;

use crate::support::{CLIENT_SPAN_ID, CLIENT_TRACE_ID, PARENT, ROOT, Stack, TRACE_ID, Trace, hex, links, told};

const HTTP: &str = include_str!("../data/apigw_http.json");

/// The headers that the function would send on.
fn sent_on(trace: &Trace) -> Value {
    let answer: Value = serde_json::from_str(&trace.answer.body).unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_callers_trace_is_a_link_and_nothing_else_of_it_is_kept() {
    let trace = Stack::start("http", &[]).await.invoke(HTTP).await;
    let root = trace.root();
    assert_eq!(hex(&root.trace_id), TRACE_ID);
    assert_eq!(root.parent_span_id, b"");
    assert_eq!(links(root), [(CLIENT_TRACE_ID.to_owned(), CLIENT_SPAN_ID.to_owned())]);
    assert_eq!((root.trace_state.as_str(), root.links[0].trace_state.as_str()), ("", ""));
    assert_eq!(told(root).3["client.trace_id"], CLIENT_TRACE_ID);
    let document = trace.root_document();
    assert_eq!(document["trace_id"], ROOT);
    assert_eq!(document["annotations"]["client_trace_id"], CLIENT_TRACE_ID);
    trace.has_nothing_private();
}

#[tokio::test]
async fn what_is_sent_on_names_lambdas_trace_and_the_calling_span() {
    let trace = Stack::start("http", &[]).await.invoke(&HTTP.replace("/items/42", "/inject")).await;
    let call = hex(&trace.span("call").span_id);
    let expected = serde_json::json!({
        "traceparent": format!("00-{TRACE_ID}-{call}-01"),
        "x-amzn-trace-id": format!("Root={ROOT};Parent={call};Sampled=1;Lineage=1:a87bd80c:0"),
    });
    assert_eq!(sent_on(&trace), expected);
}

#[tokio::test]
async fn a_trusted_callers_trace_goes_on_over_otlp_while_x_ray_keeps_lambdas() {
    let mut function = Stack::start("http", &[("LAMBDA_SPANS_CONTEXT", "caller".to_owned())]).await;
    let trace = function.invoke(&HTTP.replace("/items/42", "/inject")).await;
    let root = trace.root();
    assert_eq!(hex(&root.parent_span_id), CLIENT_SPAN_ID);
    for span in &trace.spans {
        assert_eq!((hex(&span.trace_id).as_str(), span.trace_state.as_str()), (CLIENT_TRACE_ID, ""));
    }
    assert_eq!(trace.span("call").parent_span_id, root.span_id);
    assert_eq!(links(root), []);
    let attributes = told(root).3;
    assert_eq!(attributes["aws.xray.trace_id"], ROOT);
    assert!(!attributes.contains_key("client.trace_id"));

    let document = trace.root_document();
    assert_eq!((&document["trace_id"], &document["parent_id"]), (&ROOT.into(), &PARENT.into()));
    assert_eq!(document["annotations"]["client_trace_id"], CLIENT_TRACE_ID);
    assert!(trace.documents.iter().all(|document| document["trace_id"] == ROOT));

    let call = hex(&trace.span("call").span_id);
    let expected = serde_json::json!({
        "traceparent": format!("00-{CLIENT_TRACE_ID}-{call}-01"),
        "tracestate": "rojo=1",
        "x-amzn-trace-id": format!("Root={ROOT};Parent={call};Sampled=1;Lineage=1:a87bd80c:0"),
    });
    assert_eq!(sent_on(&trace), expected);
    // Nothing of one invocation stays for the next.
    let without = function.invoke(&HTTP.replace("\"traceparent\"", "\"other\"")).await;
    assert_eq!(hex(&without.root().trace_id), TRACE_ID);
}

#[tokio::test]
async fn root_alone_keeps_the_trace_and_is_not_for_x_ray() {
    let mut function = Stack::start("http", &[]).await;
    let inject = HTTP.replace("/items/42", "/inject");
    for header in [format!("Root={ROOT}"), format!("Sampled=?;Parent={PARENT};Root={ROOT}")] {
        let trace = function.invoke_with(&inject, &header).await;
        assert_eq!(hex(&trace.root().trace_id), TRACE_ID);
        assert_eq!(trace.documents, Vec::<Value>::new());
        let call = hex(&trace.span("call").span_id);
        assert_eq!(sent_on(&trace)["x-amzn-trace-id"], format!("Root={ROOT};Parent={call};Sampled=0"));
    }
}
