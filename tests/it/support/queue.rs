//! A dead-letter queue that accepts or rejects messages.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use cruddur::dead_letters::DeadLetters;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::sdk;

pub(crate) const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/letters";

pub(crate) struct Queue {
    endpoint: String,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Queue {
    /// Starts a queue that responds with `status`.
    pub(crate) async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Value>>>::default();
        let kept = received.clone();
        let router = Router::new().fallback(async move |body: String| {
            let message: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(message["QueueUrl"], QUEUE_URL);
            kept.lock().unwrap().push(serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap());
            let id = [("x-amzn-requestid", "queue")];
            (
                StatusCode::from_u16(status).unwrap(),
                id,
                json!({ "MessageId": "m", "MD5OfMessageBody": "x" }).to_string(),
            )
        });
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { endpoint, received }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn letters(&self) -> DeadLetters {
        DeadLetters::queue(&sdk(&self.endpoint), QUEUE_URL)
    }

    /// The messages so far, whether accepted or rejected.
    pub(crate) fn received(&self) -> Vec<Value> {
        self.received.lock().unwrap().clone()
    }
}
