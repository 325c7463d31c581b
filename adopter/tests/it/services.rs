//! The services that the functions call: DynamoDB, Amazon SQS and the service of prices.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A request that a service received.
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// One server for all services.
pub(crate) struct Services {
    pub(crate) url: String,
    received: mpsc::UnboundedReceiver<Received>,
}

impl Services {
    pub(crate) async fn start() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let answer = move |uri: Uri, headers: HeaderMap, body: String| {
            let response = response(uri.path(), &headers);
            let body = serde_json::from_str(&body).unwrap_or_else(|_| body.into());
            sender.send(Received { path: uri.path().to_owned(), headers, body }).unwrap();
            async move { response }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { url, received }
    }

    /// The next request.
    pub(crate) async fn received(&mut self) -> Received {
        self.received.recv().await.unwrap()
    }
}

fn response(path: &str, headers: &HeaderMap) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap());
    let body = match (target, path) {
        (Some("DynamoDB_20120810.GetItem"), _) => json!({ "Item": { "total": { "N": "6" } } }),
        (Some("AmazonSQS.SendMessage"), _) => json!({ "MessageId": "M1" }),
        (Some("AWSEvents.PutEvents"), _) => json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "E1" }] }),
        (Some(_), _) => json!({}),
        (None, "/prices/lamp") => json!(3),
        (None, "/") => {
            let result = "<PublishResult><MessageId>N1</MessageId></PublishResult>";
            return xml(format!("<PublishResponse>{result}</PublishResponse>"));
        }
        (None, path) if path.starts_with("/2015-03-31/functions/") => json!({}),
        (None, _) => return (StatusCode::NOT_FOUND, [("x-amzn-requestid", "R1")], String::new()),
    };
    (StatusCode::OK, [("x-amzn-requestid", "R1")], body.to_string())
}

fn xml(body: String) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    (StatusCode::OK, [("x-amzn-requestid", "R1")], body)
}
