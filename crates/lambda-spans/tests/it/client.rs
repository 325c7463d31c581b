use serde_json::{Value, json};

use crate::support::{ROOT, Stack, TRACE_ID, Trace, attributes, hex, summary};

const ALB: &str = include_str!("../data/alb.json");
const CLIENT: i32 = 3;

async fn call(function: &mut Stack, result: &str) -> Trace {
    let trace = function.invoke(&ALB.replace("/items/7", &format!("/call/{result}"))).await;
    trace.assert_nothing_private();
    trace
}

/// The headers that the service received.
fn received(trace: &Trace) -> Value {
    let answer: Value = serde_json::from_str(&trace.answer.body).unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn outgoing_request_is_a_client_span_without_its_query() {
    let mut function = Stack::start("http", &[]).await;
    let trace = call(&mut function, "200").await;
    let expected = attributes([
        ("http.request.method", "POST"),
        ("http.response.status_code", "int 200"),
        ("server.address", "shop.example"),
        ("server.port", "int 8443"),
        ("url.full", "https://shop.example:8443/items/7"),
    ]);
    let span = trace.span("POST");
    assert_eq!(summary(span), ("POST".to_owned(), CLIENT, false, expected));
    assert_eq!(span.parent_span_id, trace.root().span_id);
    assert_eq!(trace.span("connect").parent_span_id, span.span_id);
    let id = hex(&span.span_id);
    let headers = json!({
        "traceparent": format!("00-{TRACE_ID}-{id}-01"),
        "x-amzn-trace-id": format!("Root={ROOT};Parent={id};Sampled=1;Lineage=1:a87bd80c:0"),
    });
    assert_eq!(received(&trace), headers);

    let document = trace.documents.iter().find(|document| document["id"] == id.as_str()).unwrap();
    let http = json!({
        "request": { "method": "POST", "url": "https://shop.example:8443/items/7" },
        "response": { "status": 200 },
    });
    assert_eq!((&document["name"], &document["namespace"]), (&json!("shop.example"), &json!("remote")));
    assert_eq!(document["http"], http);
}

#[tokio::test]
async fn failed_request_has_its_status_or_the_error_type() {
    let mut function = Stack::start("http", &[]).await;
    for (result, error_type, status) in [
        ("404", "404", Some("int 404")),
        ("503", "503", Some("int 503")),
        ("timeout", "timeout", None),
        ("refused", "std::io::Error", None),
    ] {
        let trace = call(&mut function, result).await;
        let (_, kind, failed, found) = summary(trace.span("POST"));
        assert_eq!((kind, failed), (CLIENT, true), "{result}");
        assert_eq!(found["error.type"], error_type);
        assert_eq!(found.get("http.response.status_code").map(String::as_str), status);
    }
    let trace = call(&mut function, "301").await;
    assert!(!summary(trace.span("POST")).2);
}

#[tokio::test]
async fn dropped_request_is_canceled() {
    let trace = call(&mut Stack::start("http", &[]).await, "pending").await;
    let (_, _, failed, found) = summary(trace.span("POST"));
    assert_eq!((failed, found["lambda_spans.cancelled"].as_str()), (false, "bool true"));
    assert!(!found.contains_key("error.type"));
}
