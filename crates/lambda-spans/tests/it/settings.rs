//! Variables and an environment that cannot be used, and proxies.

use std::process::Command;
use std::time::Duration;

use lambda_harness::{DistantEndpoint, Event, InvocationResult, Lambda, OtlpReceiver, XrayDaemon};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{PARENT, ROOT, built};

const HTTP: &str = include_str!("../data/apigw_http.json");

async fn function(environment: &[(&'static str, String)]) -> Lambda {
    let http = [("HANDLER", "http".to_owned()), ("LAMBDA_SPANS_FLUSH", "end".to_owned())];
    Lambda::start(built("test-function"), &[&http, environment].concat()).await
}

async fn get(lambda: &mut Lambda, path: &str) -> InvocationResult {
    let event = Event {
        payload: HTTP.replace("/items/42", path),
        trace_header: format!("Root={ROOT};Parent={PARENT};Sampled=1"),
        timeout: Duration::from_secs(10),
    };
    let result = lambda.invoke(event).await;
    assert!(result.success, "{}", result.body);
    lambda.wait_until_frozen().await;
    result
}

/// The warnings of the log: variable and problem.
fn warnings(log: &str) -> Vec<(String, String)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let warnings = lines.filter(|line| line["level"] == "WARN").map(|line| {
        let text = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
        (text("variable"), text("problem"))
    });
    warnings.collect()
}

#[tokio::test]
async fn unusable_variables_never_stop_the_function() {
    let (xray, otlp) = (XrayDaemon::start().await, OtlpReceiver::start().await);
    let unusable = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "not a URL"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary,a=b"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
        ("OTEL_BSP_SCHEDULE_DELAY", "x"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "x"),
        ("LAMBDA_SPANS_BUDGET_MS", "-5"),
        ("LAMBDA_SPANS_BUGDET_MS", "5"),
        ("RUST_LOG", "lambda_spans=loud"),
    ];
    let mut environment = vec![
        ("AWS_XRAY_DAEMON_ADDRESS", xray.address()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint().replace("http:", "HTTP:")),
    ];
    environment.extend(unusable.map(|(name, value)| (name, value.to_owned())));
    let mut lambda = function(&environment).await;
    get(&mut lambda, "/items/42").await;
    assert_eq!((xray.take().await.len(), otlp.collected().spans.len()), (2, 2));
    assert_eq!(otlp.collected().requests[0]["a"], "b");
    let log = lambda.kill().await;
    let mut warned: Vec<_> = warnings(&log).into_iter().map(|(variable, _)| variable).collect();
    warned.sort_unstable();
    let mut expected = unusable.map(|(name, _)| name);
    expected.sort_unstable();
    assert_eq!(warned, expected);
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn missing_root_certificates_leave_xray_alone() {
    let xray = XrayDaemon::start().await;
    let nowhere = "/no/such/path".to_owned();
    let environment = [
        ("AWS_XRAY_DAEMON_ADDRESS", xray.address()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:9".to_owned()),
        ("SSL_CERT_FILE", nowhere.clone()),
        ("SSL_CERT_DIR", nowhere),
        ("AWS_ENDPOINT_URL", "https://127.0.0.1:9".to_owned()),
    ];
    let mut lambda = function(&environment).await;
    get(&mut lambda, "/items/42").await;
    assert_eq!(xray.take().await.len(), 2);
    // A request of the AWS SDK fails, and the function goes on.
    let failed: Value = serde_json::from_str(&get(&mut lambda, "/aws").await.body).unwrap();
    assert_eq!(failed["statusCode"], 502);
    let ledger: Value = serde_json::from_str(&get(&mut lambda, "/ledger").await.body).unwrap();
    let ledger: Value = serde_json::from_str(ledger["body"].as_str().unwrap()).unwrap();
    assert_eq!(ledger["otlp"], json!([0, 0, 0, 0, 0, 0]));
    let warnings = warnings(&lambda.kill().await);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].1.contains("SSL_CERT_FILE"), "{warnings:?}");
}

#[tokio::test]
async fn plain_requests_use_the_proxy_except_for_loopback() {
    let proxy = OtlpReceiver::start().await;
    let (local, distant) = (OtlpReceiver::start().await, "http://otlp.example:4318".to_owned());
    for (endpoint, receiver) in [(distant, &proxy), (local.endpoint(), &local)] {
        let variables = [("HTTP_PROXY", proxy.endpoint()), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
        let mut lambda = function(&variables).await;
        get(&mut lambda, "/items/42").await;
        assert_eq!(receiver.collected().spans.len(), 2);
        lambda.kill().await;
    }
}

#[tokio::test]
async fn tls_requests_tunnel_through_the_proxy() {
    let receiver = OtlpReceiver::start().await;
    let distant = DistantEndpoint::start(receiver.endpoint().trim_start_matches("http://"), Duration::ZERO).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let upstream = distant.endpoint().replace("https://", "");
    let request = tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(upstream).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await.ok() });
        String::from_utf8(head).unwrap()
    });
    let mut lambda = function(&[
        ("https_proxy", format!("user:secret@{address}")),
        ("NO_PROXY", "elsewhere.example".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.example".to_owned()),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", DistantEndpoint::certificate().to_owned()),
    ])
    .await;
    get(&mut lambda, "/items/42").await;
    assert_eq!(receiver.collected().spans.len(), 2);
    let head = request.await.unwrap();
    assert!(head.starts_with("CONNECT otlp.example:443 HTTP/1.1\r\n"), "{head}");
    // printf 'user:secret' | base64
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq=\r\n"), "{head}");
    lambda.kill().await;
}

#[test]
fn error_of_main_shows_its_hint() {
    let function = Command::new(built("test-function")).env_clear().env("HANDLER", "installed-twice").output().unwrap();
    assert_eq!(function.status.code(), Some(1));
    let error = String::from_utf8(function.stderr).unwrap();
    assert!(error.contains("Spans::tracing_layer"), "{error}");
    assert!(!error.contains("Subscriber("), "{error}");
}
