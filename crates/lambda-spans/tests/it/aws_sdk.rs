use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{PARENT, ROOT, Stack, attributes, hex, summary};

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
