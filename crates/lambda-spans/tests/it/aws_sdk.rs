use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{PARENT, ROOT, Stack, hex};

const ALB: &str = include_str!("../data/alb.json");

/// An AWS service, and the headers that it receives.
async fn service() -> (String, mpsc::UnboundedReceiver<HeaderMap>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let answer = move |headers: HeaderMap| {
        sender.send(headers).unwrap();
        async { (axum::http::StatusCode::OK, r#"{"TableNames":[]}"#) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    (endpoint, requests)
}

#[tokio::test]
async fn aws_requests_carry_only_the_client_span_context() {
    let (endpoint, mut requests) = service().await;
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
