//! Calls to AWS services without their SDK crates: signature, retries and errors. Reading the master secret is one.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use cruddur::config::{Secret, SecretError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::sdk;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A Secrets Manager without a previous version of the secret.
struct Service {
    url: String,
    /// The headers of the requests for the current version.
    requests: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Service {
    /// Starts a service that returns these responses for the current version, one after the other.
    async fn start(responses: &[(u16, Value)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let (received, responses) = (requests.clone(), responses.to_vec());
        let answer = async move |headers: HeaderMap, body: String| {
            let request: Value = serde_json::from_str(&body).unwrap();
            let (status, body) = if request["VersionStage"] == "AWSPREVIOUS" {
                (400, json!({ "__type": "com.amazonaws.secretsmanager#ResourceNotFoundException:http://internal/" }))
            } else {
                let mut received = received.lock().unwrap();
                received.push(headers);
                responses[received.len() - 1].clone()
            };
            (StatusCode::from_u16(status).unwrap(), body.to_string())
        };
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { url, requests }
    }

    async fn read(&self) -> Result<Secret, SecretError> {
        let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
        Secret::read(&sdk(&self.url).to_builder().retry_config(retries).build(), "my-secret").await
    }

    fn attempts(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn found() -> (u16, Value) {
    (200, json!({ "SecretString": KEY }))
}

#[tokio::test]
async fn request_is_signed_for_the_service_and_region() {
    let service = Service::start(&[found()]).await;
    assert_eq!(service.read().await.unwrap().current, KEY.as_bytes());
    let requests = service.requests.lock().unwrap();
    let header = |name: &str| requests[0][name].to_str().unwrap();
    assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert_eq!(header("content-type"), "application/x-amz-json-1.1");
    let signature = header("authorization");
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=local/"), "{signature}");
    assert!(signature.contains("/us-east-1/secretsmanager/aws4_request, SignedHeaders="), "{signature}");
    assert!(signature.contains("x-amz-target"), "{signature}");
}

#[tokio::test]
async fn throttled_and_failed_attempts_are_retried() {
    let throttled = (400, json!({ "__type": "ThrottlingException", "message": "slow down" }));
    let service = Service::start(&[throttled, (503, Value::Null), found()]).await;
    assert_eq!(service.read().await.unwrap().current, KEY.as_bytes());
    assert_eq!(service.attempts(), 3);
}

#[tokio::test]
async fn rejected_request_is_not_retried_and_has_code_and_message() {
    let denied = (400, json!({ "__type": "AccessDeniedException", "Message": "not allowed" }));
    let service = Service::start(&[denied]).await;
    let error = service.read().await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "AccessDeniedException: not allowed");
    assert_eq!(service.attempts(), 1);
}

#[tokio::test]
async fn error_about_a_response_contains_no_part_of_it() {
    for response in [json!({ "SecretString": [KEY] }), json!(KEY)] {
        let service = Service::start(&[(200, response)]).await;
        let error = service.read().await.unwrap_err();
        assert!(matches!(error, SecretError::Unreadable { .. }));
        let source = error.source().unwrap();
        assert!(source.source().is_none());
        assert!(!format!("{error} {error:?} {source} {source:?}").contains(KEY));
    }
}
