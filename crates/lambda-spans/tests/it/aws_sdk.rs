use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use serde_json::{Value, json};

use crate::support::{PARENT, ROOT, Stack, TRACE_ID, Trace, attributes, hex, summary};

const ALB: &str = include_str!("../data/alb.json");

/// An AWS service with one response, and the headers that it receives.
async fn service(status: StatusCode, body: &'static str) -> (String, mpsc::UnboundedReceiver<HeaderMap>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let answer = move |headers: HeaderMap| {
        sender.send(headers).unwrap();
        async move { (status, [("x-amzn-requestid", "R1")], body) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    (endpoint, requests)
}

#[tokio::test]
async fn aws_requests_carry_only_the_client_span_context() {
    let (endpoint, mut requests) = service(StatusCode::OK, r#"{"TableNames":[]}"#).await;
    let mut function = Stack::start("http", &[("AWS_ENDPOINT_URL", endpoint)]).await;
    let event = ALB.replace("/items/7", "/aws");
    for (decision, expected) in
        [(";Sampled=1;Lineage=1:a87bd80c:0", ";Sampled=1;Lineage=1:a87bd80c:0"), ("", ";Sampled=0")]
    {
        let trace = function.invoke_with(&event, &format!("Root={ROOT};Parent={PARENT}{decision}")).await;
        let headers = requests.recv().await.unwrap();
        let sent: Vec<_> = headers.get_all("x-amzn-trace-id").iter().collect();
        let client = hex(&trace.span("DynamoDB.ListTables").span_id);
        assert_eq!(sent, [&format!("Root={ROOT};Parent={client}{expected}")]);
        let signed = headers["authorization"].to_str().unwrap();
        assert!(!signed.contains("traceparent") && headers.get("traceparent").is_none());
    }
}

#[tokio::test]
async fn aws_span_has_its_server_and_error_code() {
    let body = r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"canary"}"#;
    let (endpoint, _requests) = service(StatusCode::BAD_REQUEST, body).await;
    let port = endpoint.rsplit(':').next().unwrap().to_owned();
    let mut function = Stack::start("http", &[("AWS_ENDPOINT_URL", endpoint)]).await;
    let trace = function.invoke(&ALB.replace("/items/7", "/aws")).await;
    let (_, _, failed, mut found) = summary(trace.span("DynamoDB.ListTables"));
    assert_eq!((failed, found.remove("server.port")), (true, Some(format!("int {port}"))));
    let expected = attributes([
        ("aws.request_id", "R1"),
        ("aws.sdk.attempts", "int 1"),
        ("db.operation.name", "ListTables"),
        ("db.system.name", "aws.dynamodb"),
        ("error.type", "UnrecognizedClientException"),
        ("http.response.status_code", "int 400"),
        ("rpc.method", "DynamoDB/ListTables"),
        ("rpc.system.name", "aws-api"),
        ("server.address", "127.0.0.1"),
    ]);
    assert_eq!(found, expected);
    trace.assert_nothing_private();
}

/// Amazon SQS with one message in its queue, and the operations and bodies that it receives.
async fn sqs() -> (String, mpsc::UnboundedReceiver<(String, Value)>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let answer = move |headers: HeaderMap, body: Bytes| {
        let operation = headers["x-amz-target"].to_str().unwrap().to_owned();
        let answer = match operation.as_str() {
            "AmazonSQS.SendMessage" => r#"{"MD5OfMessageBody":"x","MessageId":"m-1"}"#,
            "AmazonSQS.ReceiveMessage" => r#"{"Messages":[{"MessageId":"m-1","Body":"canary"},{"MessageId":"m-2"}]}"#,
            _ => "{}",
        };
        sender.send((operation, serde_json::from_slice(&body).unwrap())).unwrap();
        async move { ([("content-type", "application/x-amz-json-1.0")], answer) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    (endpoint, requests)
}

/// Kind and messaging attributes of a span.
fn messaging(trace: &Trace, name: &str) -> (i32, Vec<String>) {
    let (_, kind, failed, found) = summary(trace.span(name));
    assert!(!failed);
    let found = found.into_iter().filter(|(key, _)| key.starts_with("messaging.") || key.starts_with("aws.sqs."));
    (kind, found.map(|(key, value)| format!("{key}={value}")).collect())
}

#[tokio::test]
async fn sqs_span_has_the_queue_and_the_operation() {
    const PRODUCER: i32 = 4;
    const CLIENT: i32 = 3;
    let (endpoint, mut requests) = sqs().await;
    let mut function = Stack::start("http", &[("AWS_ENDPOINT_URL", endpoint)]).await;
    let trace = function.invoke(&ALB.replace("/items/7", "/sqs")).await;
    let queue = "aws.sqs.queue.url=https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
    for (operation, kind, more) in [
        (
            "SQS.SendMessage",
            PRODUCER,
            vec!["messaging.message.id=m-1", "messaging.operation.name=send", "messaging.operation.type=send"],
        ),
        (
            "SQS.ReceiveMessage",
            CLIENT,
            vec![
                "messaging.batch.message_count=int 2",
                "messaging.operation.name=receive",
                "messaging.operation.type=receive",
            ],
        ),
        ("SQS.DeleteMessage", CLIENT, vec!["messaging.operation.name=delete", "messaging.operation.type=settle"]),
    ] {
        let mut expected = vec![queue, "messaging.destination.name=orders", "messaging.system=aws_sqs"];
        expected.extend(more);
        expected.sort_unstable();
        assert_eq!(messaging(&trace, operation), (kind, expected.into_iter().map(str::to_owned).collect()));
        let id = hex(&trace.span(operation).span_id);
        let document = trace.documents.iter().find(|document| document["id"] == id.as_str()).unwrap();
        assert_eq!((&document["name"], &document["namespace"]), (&json!("SQS"), &json!("aws")));
        assert_eq!(document["aws"]["queue_url"], "https://sqs.eu-west-1.amazonaws.com/123456789012/orders");
    }
    trace.assert_nothing_private();

    // The message carries the span that was open when it was built.
    let (operation, sent) = requests.recv().await.unwrap();
    assert_eq!(operation, "AmazonSQS.SendMessage");
    let root = hex(&trace.root().span_id);
    let text = |value: String| json!({ "DataType": "String", "StringValue": value });
    let expected = json!({
        "traceparent": text(format!("00-{TRACE_ID}-{root}-01")),
        "X-Amzn-Trace-Id": text(format!("Root={ROOT};Parent={root};Sampled=1;Lineage=1:a87bd80c:0")),
    });
    assert_eq!(sent["MessageAttributes"], expected);
}
