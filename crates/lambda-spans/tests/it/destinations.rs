//! Two OTLP destinations, X-Ray's own endpoint, and what each of them gets.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use lambda_harness::{Collected, Event, Lambda, OtlpReceiver, OtlpResponse, XrayDaemon};
use serde_json::{Value, json};

use crate::support::{PARENT, ROOT, built, hex};

const HTTP: &str = include_str!("../data/apigw_http.json");
const XRAY: &str = "https://xray.eu-west-1.amazonaws.com";
/// Headers of every request, whatever its destination.
const COMMON: [&str; 5] = ["accept-encoding", "content-encoding", "content-length", "content-type", "host"];
const SIGNATURE: [&str; 2] = ["authorization", "x-amz-date"];

async fn function(environment: &[(&'static str, String)]) -> Lambda {
    let mut all = vec![("HANDLER", "http".to_owned()), ("LAMBDA_SPANS_FLUSH", "end".to_owned())];
    all.extend_from_slice(environment);
    Lambda::start(built("test-function"), &all).await
}

async fn get_sampled(lambda: &mut Lambda, path: &str, sampled: u8) -> String {
    let event = Event {
        payload: HTTP.replace("/items/42", path),
        trace_header: format!("Root={ROOT};Parent={PARENT};Sampled={sampled}"),
        timeout: Duration::from_secs(10),
    };
    let answer = lambda.invoke(event).await;
    lambda.wait_until_frozen().await;
    answer.body
}

async fn get(lambda: &mut Lambda, path: &str) -> String {
    get_sampled(lambda, path, 1).await
}

async fn ledger(lambda: &mut Lambda) -> Value {
    let answer: Value = serde_json::from_str(&get(lambda, "/ledger").await).unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn traces(receiver: &OtlpReceiver) -> String {
    format!("{}/v1/traces", receiver.endpoint())
}

/// Asserts that each request has these headers besides the common ones, and returns the headers of one of them.
#[track_caller]
fn assert_headers(collected: &Collected, expected: &[&str]) {
    assert!(!collected.requests.is_empty());
    for headers in &collected.requests {
        let names: BTreeSet<_> = headers.keys().map(|name| name.as_str()).collect();
        let own: Vec<_> = names.iter().copied().filter(|name| !COMMON.contains(name)).collect();
        assert_eq!(own, expected);
    }
}

#[tokio::test]
async fn each_destination_gets_its_own_headers_only() {
    let (first, second) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    let key = ("HONEYCOMB_API_KEY", "the-key".to_owned());
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "x-first=1".to_owned());
    let second_headers = ("LAMBDA_SPANS_SECOND_OTLP_HEADERS", "x-second=2".to_owned());
    let environment = [
        key,
        headers,
        second_headers,
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-first-traces=1".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
        ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(&second)),
    ];
    // The first is Honeycomb.
    let honeycomb = ("HONEYCOMB_API_ENDPOINT", first.endpoint());
    let mut lambda = function(&[&environment[..], &[honeycomb]].concat()).await;
    get(&mut lambda, "/items/42").await;
    lambda.kill().await;
    assert_headers(&first.collected(), &["x-first", "x-first-traces", "x-honeycomb-team"]);
    assert_headers(&second.collected(), &["x-second"]);
    assert_eq!(first.collected().requests[0]["x-honeycomb-team"], "the-key");

    // The second is Honeycomb.
    let (first, second) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    let endpoints = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
        ("HONEYCOMB_API_ENDPOINT", second.endpoint()),
        ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(&second)),
    ];
    let mut lambda = function(&[&environment[..4], &endpoints].concat()).await;
    get(&mut lambda, "/items/42").await;
    lambda.kill().await;
    assert_headers(&first.collected(), &["x-first", "x-first-traces"]);
    assert_headers(&second.collected(), &["x-honeycomb-team", "x-second"]);

    // The second is X-Ray.
    let (first, second) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    let endpoints = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
        ("HONEYCOMB_API_ENDPOINT", first.endpoint()),
        ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", format!("{XRAY}/v1/traces")),
        ("AWS_ENDPOINT_URL_XRAY", second.endpoint()),
    ];
    let mut lambda = function(&[&environment[..4], &endpoints].concat()).await;
    get(&mut lambda, "/items/42").await;
    lambda.kill().await;
    assert_headers(&first.collected(), &["x-first", "x-first-traces", "x-honeycomb-team"]);
    // Only the signature, without the user's headers.
    assert_headers(&second.collected(), &SIGNATURE);
}

#[tokio::test]
async fn compression_is_chosen_per_destination() {
    let (first, second) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    for (of_first, of_second) in [("gzip", "none"), ("none", "gzip")] {
        let mut lambda = function(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", of_first.to_owned()),
            ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(&second)),
            ("LAMBDA_SPANS_SECOND_OTLP_COMPRESSION", of_second.to_owned()),
        ])
        .await;
        // Small requests are not compressed.
        get(&mut lambda, &format!("/items/{}", "4".repeat(2000))).await;
        lambda.kill().await;
        for (receiver, compression) in [(&first, of_first), (&second, of_second)] {
            let collected = receiver.collected();
            let encoding = collected.requests.last().unwrap().get("content-encoding");
            assert_eq!(encoding.is_some(), compression == "gzip", "{compression}");
        }
    }
    assert_eq!((first.collected().spans.len(), second.collected().spans.len()), (4, 4));
}

#[tokio::test]
async fn fault_of_one_otlp_destination_spares_the_other() {
    for (status, refused, carried) in [(400, 2, 0), (503, 0, 2)] {
        let (good, bad, daemon) = (OtlpReceiver::start().await, OtlpReceiver::start().await, XrayDaemon::start().await);
        bad.respond_with(vec![OtlpResponse::status(status); 100]);
        for (first, second, names) in [(&good, &bad, ["otlp", "second"]), (&bad, &good, ["second", "otlp"])] {
            let arrived = good.collected().spans.len();
            let mut lambda = function(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
                ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(second)),
                ("AWS_XRAY_DAEMON_ADDRESS", daemon.address()),
            ])
            .await;
            get(&mut lambda, "/items/42").await;
            assert_eq!(good.collected().spans.len() - arrived, 2, "{status}");
            assert_eq!(daemon.take().await.len(), 2);
            let ledger = ledger(&mut lambda).await;
            assert_eq!(ledger[names[0]], json!([2, 0, 0, 0, 0, 0]), "{status}");
            assert_eq!(ledger[names[1]], json!([0, 0, carried, refused, 0, 0]), "{status}");
            daemon.take().await;
            lambda.kill().await;
        }
    }
}

#[tokio::test]
async fn log_line_names_the_failing_destination() {
    let (good, bad) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    bad.respond_with(vec![OtlpResponse::status(400); 100]);
    for (first, second, failing, working) in [(&bad, &good, "Otlp", "SecondOtlp"), (&good, &bad, "SecondOtlp", "Otlp")]
    {
        let mut lambda = function(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
            ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(second)),
        ])
        .await;
        get(&mut lambda, "/items/42").await;
        let log = lambda.kill().await;
        let named = |name: &str| log.matches(&format!("\"destination\":\"{name}\"")).count();
        assert_eq!((named(failing), named(working)), (1, 0), "{log}");
    }
}

#[tokio::test]
async fn silent_destinations_share_one_budget() {
    let (first, second) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    first.set_responding(false);
    second.set_responding(false);
    let mut lambda = function(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
        ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(&second)),
        ("LAMBDA_SPANS_BUDGET_MS", "100".to_owned()),
    ])
    .await;
    get(&mut lambda, "/items/42").await;
    let ledger = ledger(&mut lambda).await;
    assert_eq!((&ledger["otlp"], &ledger["second"]), (&json!([0, 0, 2, 0, 0, 0]), &json!([0, 0, 2, 0, 0, 0])));
    lambda.kill().await;
}

#[tokio::test]
async fn second_destination_samples_on_its_own() {
    let (first, second) = (OtlpReceiver::start().await, OtlpReceiver::start().await);
    let mut lambda = function(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", first.endpoint()),
        ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(&second)),
        ("LAMBDA_SPANS_SECOND_OTLP_SAMPLE_RATE", u64::MAX.to_string()),
    ])
    .await;
    get(&mut lambda, "/items/42").await;
    get(&mut lambda, "/fail").await;
    let ledger = ledger(&mut lambda).await;
    assert_eq!((&ledger["otlp"], &ledger["second"]), (&json!([3, 0, 0, 0, 0, 0]), &json!([1, 2, 0, 0, 0, 0])));
    lambda.kill().await;
    let spans = second.collected().spans;
    let [(_, failed)] = &spans[..] else { panic!("{} spans", spans.len()) };
    assert_eq!(failed.name, "GET /fail");
    assert!(failed.attributes.iter().all(|attribute| attribute.key != "SampleRate"));
}

#[tokio::test]
async fn signed_endpoint_follows_xrays_rules_and_replaces_udp() {
    let (xray, honeycomb, daemon) =
        (OtlpReceiver::start().await, OtlpReceiver::start().await, XrayDaemon::start().await);
    let mut lambda = function(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", XRAY.to_owned()),
        ("AWS_ENDPOINT_URL_XRAY", xray.endpoint()),
        ("AWS_SESSION_TOKEN", "a-session".to_owned()),
        ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces(&honeycomb)),
        ("LAMBDA_SPANS_SAMPLE_RATE", u64::MAX.to_string()),
        ("LAMBDA_SPANS_XRAY_ANNOTATIONS", "http.route".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", daemon.address()),
    ])
    .await;
    get(&mut lambda, "/items/42").await;
    get_sampled(&mut lambda, "/items/42", 0).await;
    let ledger = ledger(&mut lambda).await;
    assert_eq!(ledger["xray"], json!([2, 1, 0, 0, 0, 0]));
    assert_eq!(ledger["otlp"], json!([0, 0, 0, 0, 0, 0]));
    assert_eq!(ledger["second"], json!([3, 0, 0, 0, 0, 0]));
    lambda.kill().await;

    assert_eq!(daemon.take().await, Vec::<Value>::new());
    let collected = xray.collected();
    assert_headers(&collected, &[SIGNATURE[0], SIGNATURE[1], "x-amz-security-token"]);
    let authorization = collected.requests[0]["authorization"].to_str().unwrap();
    assert!(authorization.contains("/eu-west-1/xray/aws4_request"), "{authorization}");
    let root = collected.spans.iter().map(|(_, span)| span).find(|span| span.name == "GET /items/{id}").unwrap();
    assert_eq!(hex(&root.parent_span_id), PARENT);
    assert_eq!(hex(&root.trace_id), "6925a400000000000000000000000001");
    let keys: BTreeSet<_> = root.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(keys.contains("aws.xray.annotations") && !keys.contains("SampleRate"), "{keys:?}");
    let other = honeycomb.collected();
    let root = other.spans.iter().map(|(_, span)| span).find(|span| span.name == "GET /items/{id}").unwrap();
    assert_eq!(hex(&root.parent_span_id), "");
}

#[tokio::test]
async fn rejected_signature_names_the_permission_once() {
    let xray = OtlpReceiver::start().await;
    xray.respond_with(vec![OtlpResponse::status(403); 10]);
    let mut lambda =
        function(&[("OTEL_EXPORTER_OTLP_ENDPOINT", XRAY.to_owned()), ("AWS_ENDPOINT_URL_XRAY", xray.endpoint())]).await;
    get(&mut lambda, "/items/42").await;
    get(&mut lambda, "/items/42").await;
    assert_eq!(ledger(&mut lambda).await["xray"], json!([0, 0, 0, 3, 0, 0]));
    let log = lambda.kill().await;
    assert_eq!(log.matches("xray:PutSpans`").count(), 1, "{log}");
}

#[tokio::test]
async fn otlp_over_udp_has_no_segment_documents() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut lambda = function(&[
        ("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr().unwrap().to_string()),
        ("LAMBDA_SPANS_XRAY_FORMAT", "otlp".to_owned()),
    ])
    .await;
    get(&mut lambda, "/items/42").await;
    get_sampled(&mut lambda, "/items/42", 0).await;
    assert_eq!(ledger(&mut lambda).await["xray"], json!([2, 1, 0, 0, 0, 0]));
    lambda.kill().await;
    let mut buffer = vec![0; 65_536];
    let length = daemon.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"{\"format\":\"json\",\"version\":1}\nT1S"));
    // The invocation that asked for the ledger.
    daemon.recv(&mut buffer).unwrap();
    daemon.set_nonblocking(true).unwrap();
    daemon.recv(&mut buffer).unwrap_err();
}
