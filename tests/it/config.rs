use std::error::Error;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use cruddur::config::{Cognito, Config, Secret, SecretError, lambda_credentials};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::sdk;

#[test]
fn missing_settings_are_all_reported() {
    let error = Config::from_lookup(|_| None).unwrap_err();
    let names: Vec<_> = error.faults().iter().map(|fault| fault.name).collect();
    assert_eq!(names, ["TABLE_NAME", "SECRET_ARN", "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID"]);
    assert!(names.iter().all(|name| error.to_string().contains(name)));
}

/// The access key, secret and token that are found.
fn credentials(variables: &[(&str, &str)]) -> Option<(String, String, Option<String>)> {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let found = lambda_credentials(value)?;
    assert_eq!(found.expiry(), None);
    Some((
        found.access_key_id().to_owned(),
        found.secret_access_key().to_owned(),
        found.session_token().map(str::to_owned),
    ))
}

#[test]
fn credentials_of_the_environment_count_in_lambda_only() {
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    let (id, secret, token) =
        (("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_SESSION_TOKEN", "token"));
    let expected = |token: Option<&str>| Some(("AKID".to_owned(), "secret".to_owned(), token.map(str::to_owned)));
    assert_eq!(credentials(&[lambda, id, secret, token]), expected(Some("token")));
    assert_eq!(credentials(&[lambda, id, secret, ("AWS_SESSION_TOKEN", "")]), expected(None));
    assert_eq!(credentials(&[id, secret, token]), None);
    assert_eq!(credentials(&[("AWS_LAMBDA_RUNTIME_API", ""), id, secret]), None);
    assert_eq!(credentials(&[lambda, ("AWS_ACCESS_KEY_ID", " "), secret]), None);
}

#[test]
fn credentials_of_snapstart_come_from_the_endpoint() {
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    let endpoint = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9001/credentials");
    assert_eq!(credentials(&[lambda, endpoint]), None);
}

#[test]
fn invalid_settings_end_the_binary_with_one_json_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_api"))
        .env_clear()
        .envs([("TABLE_NAME", "cruddur"), ("COGNITO_USER_POOL_ID", "us-east-1_local"), ("COGNITO_CLIENT_ID", "local")])
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["level"], "ERROR");
    // Lambda ignores the level of a line without a timestamp in RFC 3339.
    let timestamp = line["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() == "2026-11-22T12:00:00.250Z".len(), "{timestamp}");
    timestamp.parse::<jiff::Timestamp>().unwrap();
    assert!(line["message"].as_str().unwrap().contains("SECRET_ARN"), "{line}");
}

#[test]
fn init_error_sent_to_lambda_contains_no_settings() {
    let runtime = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let process = Command::new(env!("CARGO_BIN_EXE_signup"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime.local_addr().unwrap().to_string())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut connection, _) = runtime.accept().unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"}") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        received.extend(byte);
    }
    connection.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
    drop(connection);
    let received = String::from_utf8(received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nLambda-Runtime-Function-Error-Type: Function.CannotStart\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["errorType"], "Function.CannotStart");
    assert!(!body.contains("TABLE_NAME"), "{body}");
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("TABLE_NAME"));
}

#[test]
fn tracing_settings_are_never_fatal() {
    let config = with("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url").unwrap();
    let variables: Vec<_> = config.spans.warnings().iter().map(|warning| warning.variable.as_str()).collect();
    assert_eq!(variables, ["OTEL_EXPORTER_OTLP_ENDPOINT"]);
}

#[test]
fn complete_settings_are_read() {
    let config = Config::from_lookup(valid).unwrap();
    assert_eq!((config.table_name.as_str(), config.secret_arn.as_str()), ("cruddur", "local"));
    let cognito = Cognito {
        issuer: "https://cognito-idp.ca-central-1.amazonaws.com/ca-central-1_A1b2C3d4E".to_owned(),
        client_id: "4h1example2client3id4567890".to_owned(),
        jwks_url: "https://cognito-idp.ca-central-1.amazonaws.com/ca-central-1_A1b2C3d4E/.well-known/jwks.json"
            .to_owned(),
    };
    assert_eq!(config.cognito, cognito);
    assert!(config.origins.is_empty());
}

/// Valid settings.
fn valid(name: &str) -> Option<String> {
    let value = match name {
        "TABLE_NAME" => "cruddur",
        "SECRET_ARN" => "local",
        "COGNITO_USER_POOL_ID" => "ca-central-1_A1b2C3d4E",
        "COGNITO_CLIENT_ID" => "4h1example2client3id4567890",
        _ => return None,
    };
    Some(value.to_owned())
}

fn with(name: &str, value: &str) -> Result<Config, Vec<&'static str>> {
    let get = |asked: &str| if asked == name { Some(value.to_owned()) } else { valid(asked) };
    Config::from_lookup(get).map_err(|error| error.faults().iter().map(|fault| fault.name).collect())
}

/// Asserts that each of the values is invalid.
fn assert_rejected(name: &'static str, values: &[&str]) {
    for value in values {
        assert_eq!(with(name, value).unwrap_err(), [name], "{value}");
    }
}

#[test]
fn user_pool_id_is_validated() {
    let invalid = ["ca-central-1", "_A1b2", "ca-central-1_", "CA-central-1_A1", "eu-west-1_a/../b", "eu-west-1_a b"];
    assert_rejected("COGNITO_USER_POOL_ID", &invalid);
    let china = with("COGNITO_USER_POOL_ID", "cn-north-1_A1b2").unwrap().cognito.issuer;
    assert_eq!(china, "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_A1b2");
}

#[test]
fn jwks_url_requires_https_or_a_local_host() {
    for url in [
        "https://keys.example/jwks.json",
        "http://localhost:8000/jwks.json",
        "http://127.0.0.1:8000/jwks.json",
        "http://172.17.0.1/jwks.json",
        "http://host.docker.internal:8000/jwks.json",
    ] {
        assert_eq!(with("JWKS_URL", url).unwrap().cognito.jwks_url, url);
    }
    let invalid =
        ["http://keys.example/jwks.json", "http://localhost.evil.example/", "http://8.8.8.8/", "https://", "jwks"];
    assert_rejected("JWKS_URL", &invalid);
}

#[test]
fn origins_are_a_list_of_exact_origins() {
    let config = with("ALLOWED_ORIGINS", "https://cruddur.com, http://localhost:3000 ,").unwrap();
    assert_eq!(config.origins, ["https://cruddur.com", "http://localhost:3000"]);
    let invalid = [
        "*",
        "null",
        "cruddur.com",
        "https://cruddur.com/",
        "https://*.cruddur.com",
        "https://Cruddur.com",
        "https://",
        "https://a:b",
        "https://a:0443",
        "ftp://a",
        "https://user@a",
    ];
    assert_rejected("ALLOWED_ORIGINS", &invalid);
}

#[test]
fn browser_traces_are_off_by_default() {
    assert!(!with("BROWSER_TRACES", "").unwrap().browser_traces);
    assert!(!with("BROWSER_TRACES", "off").unwrap().browser_traces);
    assert!(with("BROWSER_TRACES", "on").unwrap().browser_traces);
    assert_rejected("BROWSER_TRACES", &["ON", "true", "1", "on,off"]);
}

#[test]
fn schedule_is_a_list_of_entries() {
    let schedule = "2027-01-01T00:00:00Z,30,4;2028-01-01T00:00:00Z,7,8";
    assert_eq!(with("HOME_SCHEDULE", schedule).unwrap().schedule, schedule.parse().unwrap());
    assert_eq!(with("HOME_SCHEDULE", "").unwrap().schedule, cruddur::store::Schedule::default());
    assert_rejected("HOME_SCHEDULE", &["4", "2027-01-01T00:00:00Z,30,65", "2027-01-01T00:00:00Z,31,4"]);
}

/// A Secrets Manager with a current version of the secret and possibly a previous one.
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
async fn secret_is_plain_text_or_a_json_key() {
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
async fn unreadable_secret_error_has_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Secret::read(&sdk(&url), "my-secret").await.unwrap_err();
    assert!(error.to_string().contains("my-secret") && error.source().is_some(), "{error}");
}

#[tokio::test]
async fn short_secret_is_rejected() {
    for text in ["short", "{}", r#"{"key": "short"}"#] {
        let error = Secret::read(&sdk(&secrets_manager(text, None).await), "my-secret").await.unwrap_err();
        assert!(matches!(error, SecretError::Weak { .. }));
        assert!(error.to_string().contains("my-secret"), "{error}");
    }
}
