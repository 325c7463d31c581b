use std::error::Error;
use std::process::Command;

use cruddur::config::{Config, Secret, SecretError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::sdk;

#[test]
fn every_missing_setting_is_named_at_once_with_what_to_do() {
    let error = Config::from_lookup(|_| None).unwrap_err();
    assert_eq!(error.faults().iter().map(|fault| fault.name).collect::<Vec<_>>(), ["TABLE_NAME", "SECRET_ARN"]);
    assert_eq!(
        error.to_string(),
        "the settings cannot be used; TABLE_NAME: missing, set it to the name of the DynamoDB table, `cruddur` on a \
         laptop; SECRET_ARN: missing, set it to the ARN or the name of the Secrets Manager secret with the master key"
    );
}

#[test]
fn the_binary_tells_its_faults_in_one_json_line_and_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_api")).env_clear().env("TABLE_NAME", "cruddur").output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    let message = "cannot start: the settings cannot be used; SECRET_ARN: missing, set it to the ARN or the name of \
                   the Secrets Manager secret with the master key";
    assert_eq!(line, json!({ "level": "ERROR", "message": message }));
}

#[test]
fn faults_of_tracing_are_told_together_with_ours() {
    let get = |name: &str| match name {
        "TABLE_NAME" => Some("  ".to_owned()),
        "SECRET_ARN" => Some("arn".to_owned()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("not a url".to_owned()),
        _ => None,
    };
    let error = Config::from_lookup(get).unwrap_err();
    let names: Vec<_> = error.faults().iter().map(|fault| fault.name).collect();
    assert_eq!(names, ["TABLE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
}

#[test]
fn a_whole_configuration_is_read() {
    let get = |name: &str| match name {
        "TABLE_NAME" => Some("cruddur".to_owned()),
        "SECRET_ARN" => Some("local".to_owned()),
        _ => None,
    };
    let config = Config::from_lookup(get).unwrap();
    assert_eq!((config.table_name.as_str(), config.secret_arn.as_str()), ("cruddur", "local"));
}

/// Answers as Secrets Manager: with `current`, and with `previous` or that there is none.
async fn secrets_manager(current: &str, previous: Option<&str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (current, previous) = (current.to_owned(), previous.map(str::to_owned));
    let answer = async move |axum::Json(request): axum::Json<Value>| {
        let secret = if request["VersionStage"] == "AWSPREVIOUS" { previous } else { Some(current) };
        match secret {
            Some(secret) => (axum::http::StatusCode::OK, json!({ "SecretString": secret }).to_string()),
            None => {
                let body = json!({ "__type": "ResourceNotFoundException", "Message": "no such version" });
                (axum::http::StatusCode::BAD_REQUEST, body.to_string())
            }
        }
    };
    let json = axum::middleware::map_request(async |mut request: axum::extract::Request| {
        let json = axum::http::HeaderValue::from_static("application/json");
        request.headers_mut().insert("content-type", json);
        request
    });
    let router = axum::Router::new().fallback(answer).layer(json);
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_secret_is_plain_text_or_the_key_of_a_json_object() {
    let key = "0123456789abcdef0123456789abcdef";
    for text in [key, &json!({ "key": key }).to_string()] {
        let secret = Secret::read(&sdk(&secrets_manager(text, None).await), "local").await.unwrap();
        assert_eq!((secret.current, secret.previous), (key.as_bytes().to_vec(), None));
    }
    let both = secrets_manager(key, Some(&key.to_uppercase())).await;
    let secret = Secret::read(&sdk(&both), "local").await.unwrap();
    assert_eq!(secret.previous.as_deref(), Some(key.to_uppercase().as_bytes()));
    assert_eq!(format!("{secret:?}"), "Secret { .. }");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Secret::read(&sdk(&url), "my-secret").await.unwrap_err();
    assert_eq!(error.to_string(), "Secrets Manager does not give the secret my-secret (SECRET_ARN)");
    assert_eq!(error.source().unwrap().to_string(), "dispatch failure");
}

#[tokio::test]
async fn a_short_secret_is_refused_by_name() {
    for text in ["short", "{}", r#"{"key": "short"}"#] {
        let error = Secret::read(&sdk(&secrets_manager(text, None).await), "my-secret").await.unwrap_err();
        assert!(matches!(error, SecretError::Weak { .. }));
        assert!(error.to_string().starts_with("the secret my-secret (SECRET_ARN) has no key of at least 32 bytes"));
    }
}
