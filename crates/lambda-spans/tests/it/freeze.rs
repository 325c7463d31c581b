//! A real process in a Lambda that freezes it: which spans arrive, when, and the ledger.
//!
//! The function is this test binary: with a Runtime API in its environment, the test `function` serves it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_harness::{DistantEndpoint, Event, InvocationResult, Lambda, OtlpReceiver, OtlpResponse, XrayDaemon};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use lambda_spans::opentelemetry::trace::{SpanId, TraceId};
use lambda_spans::{EventLayer, ForwardedSpan, Ledger, Settings, Spans};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::{Value, json};
use tower::Layer as _;
use tracing::{Instrument as _, info_span};

const PARENT: &str = "53995c3f42cd8ad8";

#[expect(clippy::disallowed_methods, reason = "the tests configure the function by variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn function() {
    if variable("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    let outside = variable("INSTALLED_OUTSIDE").is_some();
    let installed = outside.then(|| Spans::install(Settings::from_env()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let spans = installed.unwrap_or_else(|| Spans::install(Settings::from_env()).unwrap());
        let handler = {
            let spans = spans.clone();
            service_fn(move |event: LambdaEvent<Value>| handle(spans.clone(), event.payload))
        };
        let (cleaned, ledger) = (spans.clone(), "cleaned up with");
        spans.on_shutdown(async move || println!("{ledger} {} carried spans", cleaned.ledger().otlp.carried));
        let runtime = || Runtime::new(EventLayer.layer(handler.clone()));
        match variable("RUNTIME").as_deref() {
            Some("own") => spans.start(runtime()).await.run().await.unwrap(),
            Some("layer") => runtime().layer(spans.lambda_layer()).run().await.unwrap(),
            _ => spans.run_event_concurrent(handler).await.unwrap(),
        }
    });
}

/// Creates two children with an attribute each; `fail` fails. Returns the ledger of the invocations before.
async fn handle(spans: Spans, event: Value) -> Result<Value, Error> {
    let ledger = spans.ledger();
    for n in 0..2 {
        async {}.instrument(info_span!("child", app.n = n)).await;
    }
    tracing::debug!(step = 1, "a detail");
    if event["panic"] == true {
        panic!("a secret: {event}");
    }
    if event["block"] == true {
        // Blocks the only thread of the runtime.
        let _inside = info_span!("blocking").entered();
        loop {
            std::thread::park();
        }
    }
    if event["exclude"] == true {
        lambda_spans::exclude_from_otlp();
    }
    if event["forward"] == true {
        let trace_id = TraceId::from_hex("6925a400bd862e3fe1be46a994272793")?;
        let mut span = ForwardedSpan::new(trace_id, SpanId::from(7), "page load", UNIX_EPOCH, UNIX_EPOCH);
        span.parent_span_id = Some(SpanId::from(6));
        spans.forwarder("page").forward(vec![span]);
    }
    if event["hang"] == true {
        std::future::pending::<()>().instrument(info_span!("stuck", app.step = "payment")).await;
    }
    if event["late"] == true {
        // Continues when the rescued spans have arrived.
        let waiting = async {
            while spans.ledger().otlp.exported == ledger.otlp.exported {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting.instrument(info_span!("late"))).await?;
    }
    if event["fail"] == true {
        return Err("failed on request".into());
    }
    Ok(json!({
        "created": ledger.created,
        "xray": counts(&ledger, |ledger| ledger.xray),
        "otlp": counts(&ledger, |ledger| ledger.otlp),
    }))
}

fn counts(ledger: &Ledger, of: impl Fn(&Ledger) -> lambda_spans::Counts) -> Value {
    let counts = of(ledger);
    json!([counts.exported, counts.sampled_out, counts.carried, counts.dropped.total()])
}

struct Stage {
    xray: XrayDaemon,
    otlp: OtlpReceiver,
}

impl Stage {
    async fn new() -> Self {
        Self { xray: XrayDaemon::start().await, otlp: OtlpReceiver::start().await }
    }

    async fn function(&self, more: &[(&'static str, &str)]) -> Lambda {
        let mut environment = vec![
            ("AWS_XRAY_DAEMON_ADDRESS", self.xray.address()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.otlp.endpoint()),
        ];
        environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let this = std::env::current_exe().unwrap();
        Lambda::start_with_args(this, &["freeze::function", "--exact", "--nocapture"], &environment).await
    }

    /// The OTLP spans of each trace.
    fn traces(&self) -> BTreeMap<String, usize> {
        let mut traces = BTreeMap::new();
        for (_, span) in self.otlp.collected().spans {
            let id: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            *traces.entry(id).or_default() += 1;
        }
        traces
    }
}

fn event(n: usize, payload: &Value) -> Event {
    Event {
        payload: payload.to_string(),
        trace_header: format!("Root=1-6925a400-{n:024x};Parent={PARENT};Sampled=1"),
        timeout: Duration::from_secs(10),
    }
}

fn ok(n: usize) -> Event {
    event(n, &json!({}))
}

/// Invokes the function `count` times and waits until it is frozen.
async fn invoke(lambda: &mut Lambda, count: usize) {
    for n in 1..=count {
        ledger(&lambda.invoke(ok(n)).await);
    }
    lambda.wait_until_frozen().await;
}

fn ledger(answer: &InvocationResult) -> Value {
    assert!(answer.success, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn complete(traces: &BTreeMap<String, usize>, invocations: usize) {
    // The first also has the init phase.
    let spans = |n| if n == 1 { 4 } else { 3 };
    let expected: BTreeMap<_, _> = (1..=invocations).map(|n| (format!("6925a400{n:024x}"), spans(n))).collect();
    assert_eq!(*traces, expected);
}

#[tokio::test]
async fn spans_arrive_before_the_freeze_despite_kills() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    invoke(&mut lambda, 20).await;
    lambda.kill().await;
    complete(&stage.traces(), 20);
    assert_eq!(stage.otlp.collected().requests.len(), 20);
    assert_eq!(stage.xray.take().await.len(), 61);
}

#[tokio::test]
async fn installation_outside_a_runtime_is_prepared() {
    let stage = Stage::new().await;
    let distant =
        DistantEndpoint::start(stage.otlp.endpoint().trim_start_matches("http://"), Duration::from_millis(10)).await;
    let mut lambda = stage
        .function(&[
            ("INSTALLED_OUTSIDE", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &distant.endpoint()),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", DistantEndpoint::certificate()),
        ])
        .await;
    lambda.wait_until_frozen().await;
    assert_eq!(distant.connections(), 1);
    ledger(&lambda.invoke(ok(1)).await);
    lambda.wait_until_frozen().await;
    complete(&stage.traces(), 1);
    assert_eq!(distant.connections(), 1);
    lambda.kill().await;
}

#[tokio::test]
async fn bursts_share_exports_and_sigterm_flushes_the_rest() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[]).await;
    invoke(&mut lambda, 200).await;
    // X-Ray exports are never held back.
    assert_eq!(stage.xray.take().await.len(), 601);
    let (status, log) = lambda.terminate().await;
    assert!(status.success(), "{status}: {log}");
    complete(&stage.traces(), 200);
    let requests = stage.otlp.collected().requests.len();
    assert!(requests < 100, "{requests} requests for 200 invocations");
}

#[tokio::test]
async fn own_runtime_exports_like_run() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("RUNTIME", "own")]).await;
    invoke(&mut lambda, 20).await;
    assert!(stage.otlp.collected().requests.len() < 20);
    let (status, log) = lambda.terminate().await;
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("cleaned up with 0 carried spans"), "{log}");
    complete(&stage.traces(), 20);
}

#[tokio::test]
async fn environment_without_an_event_exports_its_init_phase() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[]).await;
    lambda.wait_until_frozen().await;
    let (status, log) = lambda.terminate().await;
    assert!(status.success(), "{status}: {log}");
    let spans = stage.otlp.collected().spans;
    let names: Vec<_> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
    assert_eq!(names, ["init"]);
    assert!(spans[0].1.attributes.iter().any(|attribute| attribute.key == "lambda_spans.proactive_init"));
    assert!(stage.xray.take().await.is_empty());
}

#[tokio::test]
async fn layer_alone_exports_after_every_response() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("RUNTIME", "layer")]).await;
    invoke(&mut lambda, 9).await;
    let log = lambda.kill().await;
    complete(&stage.traces(), 9);
    assert_eq!(log.matches("Spans::start").count(), 1, "{log}");
}

#[tokio::test]
async fn failed_invocation_in_a_burst_flushes_at_once() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[]).await;
    for n in 1..=3 {
        ledger(&lambda.invoke(ok(n)).await);
    }
    let answer = lambda.invoke(event(4, &json!({ "fail": true }))).await;
    assert!(!answer.success);
    lambda.wait_until_frozen().await;
    complete(&stage.traces(), 4);
    lambda.kill().await;
}

#[tokio::test]
async fn ledger_balances_after_every_invocation() {
    let stage = Stage::new().await;
    stage.otlp.respond_with([
        OtlpResponse::status(200),
        OtlpResponse { rejected: 2, ..OtlpResponse::status(200) },
        OtlpResponse::status(400),
        OtlpResponse { retry_after: Some(60), ..OtlpResponse::status(429) },
    ]);
    let lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    // Exported, sampled out, carried, dropped: for the invocations before this one.
    let otlp = [[0, 0, 0, 0], [4, 0, 0, 0], [5, 0, 0, 2], [5, 0, 0, 5], [5, 0, 3, 5], [5, 0, 6, 5]];
    for (n, expected) in otlp.iter().enumerate() {
        let ledger_before = ledger(&lambda.invoke(ok(n + 1)).await);
        assert_eq!(ledger_before["otlp"], json!(expected), "before invocation {}", n + 1);
        let init = usize::from(n > 0);
        assert_eq!(ledger_before["xray"], json!([3 * n + init, 0, 0, 0]));
        // The current invocation's root span exists already, and so does the init phase in the first.
        assert_eq!(ledger_before["created"], json!(3 * n + 2));
    }
    lambda.kill().await;
}

/// The reports of dropped spans on each root, in the order of the invocations.
fn reports(stage: &Stage) -> Vec<(String, i64)> {
    let spans = stage.otlp.collected().spans;
    let attributes = spans.into_iter().flat_map(|(_, span)| {
        assert!(span.parent_span_id.is_empty() || span.attributes.iter().all(|one| !one.key.contains("dropped")));
        span.attributes
    });
    let reports = attributes.filter(|attribute| attribute.key.starts_with("lambda_spans.dropped."));
    let value = |attribute: &KeyValue| {
        let Some(Any::IntValue(count)) = attribute.value.as_ref().unwrap().value else { panic!("{attribute:?}") };
        count
    };
    reports.map(|attribute| (attribute.key.clone(), value(&attribute))).collect()
}

#[tokio::test]
async fn next_root_reports_dropped_spans_in_both_destinations() {
    let stage = Stage::new().await;
    stage.otlp.respond_with([OtlpResponse::status(400)]);
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    invoke(&mut lambda, 3).await;
    let key = "lambda_spans.dropped.otlp.refused";
    assert_eq!(reports(&stage), [(key.to_owned(), 4)]);
    let documents = stage.xray.take().await;
    let reports = documents.iter().filter(|document| document["metadata"]["default"][key] == 4);
    let traces: Vec<_> = reports.map(|document| document["trace_id"].as_str().unwrap()).collect();
    assert_eq!(traces, [format!("1-6925a400-{:024x}", 2)]);
    lambda.kill().await;
}

#[tokio::test]
async fn trace_that_reports_dropped_spans_is_kept_with_rate_1() {
    let stage = Stage::new().await;
    stage.otlp.respond_with([OtlpResponse::status(400)]);
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end"), ("LAMBDA_SPANS_SAMPLE_RATE", "1000000000")]).await;
    assert!(!lambda.invoke(event(1, &json!({ "fail": true }))).await.success);
    ledger(&lambda.invoke(ok(2)).await);
    ledger(&lambda.invoke(ok(3)).await);
    lambda.wait_until_frozen().await;
    assert_eq!(reports(&stage), [("lambda_spans.dropped.otlp.refused".to_owned(), 4)]);
    assert_eq!(stage.traces(), [(format!("6925a400{:024x}", 2), 3)].into());
    let rates = stage.otlp.collected().spans.into_iter().flat_map(|(_, span)| span.attributes);
    assert!(rates.into_iter().all(|attribute| attribute.key != "SampleRate"));
    let documents = stage.xray.take().await;
    let own = |n: usize| {
        let trace = format!("1-6925a400-{n:024x}");
        let is_root = |document: &&Value| document["trace_id"] == *trace && document["parent_id"] == PARENT;
        documents.iter().find(is_root).unwrap()["metadata"]["lambda_spans"].clone()
    };
    let left_out = json!({ "lambda_spans.left_out": "sampled_out", "lambda_spans.sample_rate": 1_000_000_000 });
    assert_eq!((own(2), own(3)), (Value::Null, left_out));
    lambda.kill().await;
}

#[tokio::test]
async fn excluded_invocation_is_only_in_xray_unless_it_fails() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    ledger(&lambda.invoke(event(1, &json!({ "exclude": true }))).await);
    assert!(!lambda.invoke(event(2, &json!({ "exclude": true, "fail": true }))).await.success);
    lambda.wait_until_frozen().await;
    assert_eq!(stage.traces(), [(format!("6925a400{:024x}", 2), 3)].into());
    let documents = stage.xray.take().await;
    assert_eq!(documents.len(), 7);
    let own = documents.iter().filter_map(|document| document["metadata"].get("lambda_spans"));
    assert_eq!(own.collect::<Vec<_>>(), [&json!({ "lambda_spans.left_out": "excluded" })]);
    lambda.kill().await;
}

#[tokio::test]
async fn forwarded_spans_arrive_after_the_response() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    ledger(&lambda.invoke(event(1, &json!({ "forward": true }))).await);
    lambda.wait_until_frozen().await;
    let spans = stage.otlp.collected().spans;
    let (resource, span) = spans.iter().find(|(_, span)| span.name == "page load").unwrap();
    assert_eq!(*resource, [("service.name".to_owned(), "page".to_owned())]);
    assert_eq!((span.parent_span_id.as_slice(), spans.len()), (&[0, 0, 0, 0, 0, 0, 0, 6][..], 5));
    // The spans of the function have their own request, which is sent first.
    assert_eq!(stage.otlp.collected().requests.len(), 2);
    assert_eq!(spans.last().unwrap().1.name, "page load");
    let counts = ledger(&lambda.invoke(ok(2)).await);
    assert_eq!((&counts["otlp"], &counts["xray"]), (&json!([5, 0, 0, 0]), &json!([4, 1, 0, 0])));
    assert_eq!(stage.xray.take().await.iter().filter(|document| document["name"] == "page load").count(), 0);
    lambda.kill().await;
}

#[tokio::test]
async fn carried_spans_are_sent_later_once_and_in_order() {
    let stage = Stage::new().await;
    stage.otlp.respond_with([
        OtlpResponse::status(503),
        OtlpResponse::status(502),
        OtlpResponse { retry_after: Some(0), ..OtlpResponse::status(429) },
    ]);
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    invoke(&mut lambda, 3).await;
    complete(&stage.traces(), 3);
    lambda.kill().await;
}

#[tokio::test]
async fn silent_receiver_is_skipped_after_the_first_timeout() {
    let stage = Stage::new().await;
    stage.otlp.set_responding(false);
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end"), ("LAMBDA_SPANS_BUDGET_MS", "50")]).await;
    invoke(&mut lambda, 100).await;
    // One attempt during the breaker's pause.
    stage.otlp.wait_for_requests(1).await;
    let ledger_before = ledger(&lambda.invoke(ok(101)).await);
    assert_eq!(ledger_before["otlp"], json!([0, 0, 301, 0]));
    let log = lambda.kill().await;
    assert_eq!(log.matches("spans could not be exported").count(), 1, "{log}");
}

#[tokio::test]
async fn recovered_receiver_gets_missed_spans_at_shutdown() {
    let stage = Stage::new().await;
    stage.otlp.respond_with([OtlpResponse { retry_after: Some(60), ..OtlpResponse::status(503) }]);
    let mut lambda = stage.function(&[]).await;
    invoke(&mut lambda, 3).await;
    assert!(stage.traces().is_empty());
    lambda.terminate().await;
    complete(&stage.traces(), 3);
}

#[tokio::test]
async fn sampled_spans_carry_their_sample_rate() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end"), ("LAMBDA_SPANS_SAMPLE_RATE", "5")]).await;
    for n in 1..=50 {
        ledger(&lambda.invoke(ok(n)).await);
    }
    let failed = lambda.invoke(event(51, &json!({ "fail": true }))).await;
    assert!(!failed.success);
    let ledger_before = ledger(&lambda.invoke(ok(52)).await);
    lambda.wait_until_frozen().await;
    lambda.kill().await;

    let rate = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        span.attributes.iter().find(|attribute| attribute.key == "SampleRate").map(|rate| format!("{:?}", rate.value))
    };
    let spans = stage.otlp.collected().spans;
    let failed = format!("6925a400{:024x}", 51);
    let (of_failure, of_rest): (Vec<_>, Vec<_>) = spans
        .iter()
        .partition(|(_, span)| span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == failed);
    assert_eq!(of_failure.len(), 3);
    assert!(of_failure.iter().all(|(_, span)| rate(span).is_none()));
    assert!(!of_rest.is_empty() && of_rest.len() < 60, "{}", of_rest.len());
    assert!(of_rest.iter().all(|(_, span)| rate(span).is_some_and(|rate| rate.contains("IntValue(5)"))));
    // Lambda decides for X-Ray.
    assert_eq!(ledger_before["xray"], json!([154, 0, 0, 0]));
    let [exported, sampled_out, carried, dropped] = [0, 1, 2, 3].map(|n| ledger_before["otlp"][n].as_u64().unwrap());
    assert_eq!((exported + sampled_out, carried, dropped), (154, 0, 0));
}

#[tokio::test]
async fn unsupported_settings_are_logged_at_startup() {
    let stage = Stage::new().await;
    let lambda = stage.function(&[("OTEL_TRACES_SAMPLER", "always_off"), ("OTEL_PROPAGATORS", "b3")]).await;
    ledger(&lambda.invoke(ok(1)).await);
    let log = lambda.kill().await;
    for name in ["OTEL_TRACES_SAMPLER", "LAMBDA_SPANS_SAMPLE_RATE", "OTEL_PROPAGATORS", "LAMBDA_SPANS_CONTEXT"] {
        assert!(log.contains(name), "{log}");
    }
}

#[tokio::test]
async fn disabled_sdk_records_no_spans() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("OTEL_SDK_DISABLED", "true")]).await;
    assert_eq!(ledger(&lambda.invoke(ok(1)).await)["created"], 0);
    lambda.wait_until_frozen().await;
    lambda.kill().await;
    assert!(stage.otlp.collected().requests.is_empty());
    assert!(stage.xray.take().await.is_empty());
}

#[tokio::test]
async fn hung_invocation_is_exported_before_its_deadline() {
    let stage = Stage::new().await;
    let lambda = stage.function(&[]).await;
    let hanging = Event { timeout: Duration::from_secs(2), ..event(1, &json!({ "hang": true })) };
    tokio::select! {
        answer = lambda.invoke(hanging) => panic!("{answer:?}"),
        () = stage.otlp.wait_for_requests(1) => {}
    }
    // Lambda kills the process at the deadline.
    lambda.kill().await;
    let spans = stage.otlp.collected().spans;
    let mut names: Vec<_> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["child", "child", "cruddur-api", "init", "stuck"]);
    let interrupted = |name: &str| {
        let (_, span) = spans.iter().find(|(_, span)| span.name == name).unwrap();
        span.attributes.iter().any(|attribute| attribute.key == "lambda_spans.interrupted")
    };
    assert!(interrupted("stuck") && interrupted("cruddur-api") && !interrupted("child"));
    let (_, stuck) = spans.iter().find(|(_, span)| span.name == "stuck").unwrap();
    assert!(stuck.attributes.iter().any(|attribute| attribute.key == "app.step"));
}

#[tokio::test]
async fn rescued_invocation_is_exported_once_to_otlp() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_FLUSH", "end")]).await;
    let late = Event { timeout: Duration::from_secs(4), ..event(1, &json!({ "late": true })) };
    ledger(&lambda.invoke(late).await);
    let ledger_before = ledger(&lambda.invoke(ok(2)).await);
    lambda.wait_until_frozen().await;
    lambda.kill().await;
    let traces = stage.traces();
    // Root, init phase, two children, the late child.
    assert_eq!(traces[&format!("6925a400{:024x}", 1)], 5);
    assert_eq!(ledger_before["otlp"], json!([5, 0, 0, 0]));
    assert_eq!(ledger_before["xray"], json!([5, 0, 0, 0]));
    let documents = stage.xray.take().await;
    let ended = documents.iter().filter(|document| document.get("in_progress").is_none());
    assert_eq!(ended.count(), 8);
}

#[tokio::test]
async fn init_phase_is_a_span_of_the_first_invocation() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")]).await;
    invoke(&mut lambda, 2).await;
    lambda.terminate().await;
    let spans = stage.otlp.collected().spans;
    let init: Vec<_> = spans.iter().filter(|(_, span)| span.name == "init").collect();
    let [(_, init)] = init[..] else { panic!("{} init spans", init.len()) };
    let root = spans.iter().find(|(_, span)| span.parent_span_id.is_empty() && span.trace_id == init.trace_id);
    let (_, root) = root.unwrap();
    assert_eq!(init.parent_span_id, root.span_id);
    assert!(init.start_time_unix_nano < init.end_time_unix_nano);
    assert!(init.end_time_unix_nano <= root.start_time_unix_nano);
    assert!(format!("{:?}", init.attributes).contains("provisioned-concurrency"));
}

#[tokio::test]
async fn snapstart_copies_restart_the_init_phase_and_the_key() {
    let (stage, parameters) = (Stage::new().await, Parameters::start("of-the-publication").await);
    let container = [
        ("AWS_ACCESS_KEY_ID", String::new()),
        ("AWS_SECRET_ACCESS_KEY", String::new()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", parameters.endpoint)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a token".to_owned()),
    ];
    let mut lambda = parameters.function_of("snap-start", &stage, &container).await;
    lambda.wait_for_snapshot().await;
    assert!(parameters.asked.lock().unwrap().is_empty());
    *parameters.key.lock().unwrap() = "of-the-copy";
    let restored = nanoseconds();
    lambda.restore();
    invoke(&mut lambda, 2).await;
    lambda.kill().await;
    complete(&stage.traces(), 2);
    let collected = stage.otlp.collected();
    assert_eq!(collected.requests[0]["x-honeycomb-team"], "of-the-copy");
    let signature = parameters.asked.lock().unwrap()[0].0["authorization"].to_str().unwrap().to_owned();
    assert!(signature.contains("Credential=of-the-container/"), "{signature}");
    let (_, init) = collected.spans.iter().find(|(_, span)| span.name == "init").unwrap();
    assert!(restored <= init.start_time_unix_nano && init.start_time_unix_nano <= init.end_time_unix_nano);
    assert!(format!("{:?}", init.attributes).contains("snap-start"));
    let cold = collected.spans.iter().flat_map(|(_, span)| &span.attributes).filter(|attribute| {
        attribute.key == "faas.coldstart" && format!("{:?}", attribute.value).contains("BoolValue(true)")
    });
    assert_eq!(cold.count(), 1);
}

#[expect(clippy::disallowed_methods, reason = "spans have times of day")]
fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_nanos().try_into().unwrap()
}

#[tokio::test]
async fn eight_concurrent_invocations_are_eight_traces() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("AWS_LAMBDA_MAX_CONCURRENCY", "8")]).await;
    for round in 0..10 {
        let invocations = (1..=8).map(|n| lambda.invoke(ok(round * 8 + n)));
        for answer in futures_util::future::join_all(invocations).await {
            ledger(&answer);
        }
    }
    // All eight poll again: no invocation is between its response and its export.
    lambda.wait_until_frozen().await;
    let (status, log) = lambda.terminate().await;
    assert!(status.success(), "{status}: {log}");
    let traces = stage.traces();
    assert_eq!(traces.len(), 80);
    // Each has the root span and two children; one has the init phase.
    let mut sizes: Vec<_> = traces.values().copied().collect();
    sizes.sort_unstable();
    assert_eq!((sizes[0], sizes[78], sizes[79]), (3, 3, 4));
    assert_eq!(stage.xray.take().await.len(), 241);
}

#[tokio::test]
async fn panics_are_logged_without_their_message() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_EXCEPTION_MESSAGE", "none")]).await;
    let answer = lambda.invoke(event(1, &json!({ "panic": true }))).await;
    assert!(!answer.success);
    lambda.wait_until_frozen().await;
    let log = lambda.kill().await;
    let spans = stage.otlp.collected().spans;
    let (_, root) = spans.iter().find(|(_, span)| span.name == "cruddur-api").unwrap();
    assert!(format!("{:?}", root.attributes).contains("\"panic\""), "{root:?}");
    let line = log.lines().find(|line| line.contains("panicked")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert!(line["fields"]["place"].as_str().unwrap().contains("freeze.rs"));
    assert_eq!(line["trace_id"], format!("6925a400{:024x}", 1));
    assert!(!log.contains("a secret"), "{log}");
}

#[tokio::test]
async fn buffered_logs_are_written_only_on_failure() {
    let stage = Stage::new().await;
    let mut lambda = stage.function(&[("LAMBDA_SPANS_LOG_BUFFER", "debug")]).await;
    ledger(&lambda.invoke(ok(1)).await);
    assert!(!lambda.invoke(event(2, &json!({ "fail": true }))).await.success);
    lambda.wait_until_frozen().await;
    let log = lambda.kill().await;
    let details: Vec<Value> =
        log.lines().filter(|line| line.contains("a detail")).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(details.len(), 1, "{log}");
    assert_eq!(details[0]["trace_id"], format!("6925a400{:024x}", 2));
    assert_eq!(details[0]["level"], "DEBUG");
}

/// The Parameter Store: the requests, and the key that it returns unless it is empty.
struct Parameters {
    endpoint: String,
    asked: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    key: Arc<Mutex<&'static str>>,
}

impl Parameters {
    async fn start(key: &'static str) -> Self {
        let (asked, key) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(key)));
        let (seen, current) = (asked.clone(), key.clone());
        let answer = move |headers: HeaderMap, body: String| async move {
            seen.lock().unwrap().push((headers, body));
            let key = *current.lock().unwrap();
            if key.is_empty() {
                return json!({ "__type": "ThrottlingException" }).to_string();
            }
            json!({ "Parameter": { "Name": "/cruddur/honeycomb", "Type": "SecureString", "Value": key } }).to_string()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        // Lambda's endpoint of credentials with SnapStart.
        let credentials = async |headers: HeaderMap| {
            assert_eq!(headers["authorization"], "a token");
            json!({ "AccessKeyId": "of-the-container", "SecretAccessKey": "s", "Token": "t" }).to_string()
        };
        let router = axum::Router::new().route("/credentials", axum::routing::get(credentials)).fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, asked, key }
    }

    /// A function that exports to `stage` as if it were Honeycomb.
    async fn function(&self, stage: &Stage) -> Lambda {
        self.function_of("on-demand", stage, &[]).await
    }

    async fn function_of(&self, initialization: &str, stage: &Stage, more: &[(&'static str, String)]) -> Lambda {
        let mut environment = vec![
            ("AWS_LAMBDA_INITIALIZATION_TYPE", initialization.to_owned()),
            ("HONEYCOMB_API_KEY_PARAMETER", "/cruddur/honeycomb".to_owned()),
            ("HONEYCOMB_API_ENDPOINT", stage.otlp.endpoint()),
            ("AWS_ENDPOINT_URL_SSM", self.endpoint.clone()),
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
            // Enough for three round trips on a busy machine.
            ("LAMBDA_SPANS_BUDGET_MS", "5000".to_owned()),
        ];
        environment.extend_from_slice(more);
        let this = std::env::current_exe().unwrap();
        Lambda::start_with_args(this, &["freeze::function", "--exact", "--nocapture"], &environment).await
    }
}

#[tokio::test]
async fn honeycomb_key_is_read_before_the_first_event() {
    let (stage, parameters) = (Stage::new().await, Parameters::start("the-key").await);
    let mut lambda = parameters.function(&stage).await;
    ledger(&lambda.invoke(ok(1)).await);
    lambda.wait_until_frozen().await;
    let log = lambda.kill().await;

    assert_eq!(stage.otlp.collected().requests[0]["x-honeycomb-team"], "the-key");
    assert!(!log.contains("the-key"));
    let asked = parameters.asked.lock().unwrap();
    let [(headers, body)] = &asked[..] else { panic!("{} requests", asked.len()) };
    assert_eq!(headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert!(headers["authorization"].to_str().unwrap().contains("/us-east-1/ssm/aws4_request"));
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({ "Name": "/cruddur/honeycomb", "WithDecryption": true })
    );
}

#[tokio::test]
async fn rotated_honeycomb_key_loses_no_span() {
    let (stage, parameters) = (Stage::new().await, Parameters::start("old-key").await);
    let mut lambda = parameters.function(&stage).await;
    ledger(&lambda.invoke(ok(1)).await);
    lambda.wait_until_frozen().await;
    *parameters.key.lock().unwrap() = "new-key";
    stage.otlp.respond_with([OtlpResponse::status(401)]);
    ledger(&lambda.invoke(ok(2)).await);
    lambda.wait_until_frozen().await;
    complete(&stage.traces(), 2);
    let ledger_before = ledger(&lambda.invoke(ok(3)).await);
    assert_eq!(ledger_before["otlp"], json!([7, 0, 0, 0]));
    let log = lambda.kill().await;

    let keys: Vec<_> =
        stage.otlp.collected().requests.iter().map(|headers| headers["x-honeycomb-team"].clone()).collect();
    assert_eq!(keys[..2], ["old-key", "new-key"]);
    assert_eq!(parameters.asked.lock().unwrap().len(), 2);
    assert_eq!(log.matches("spans are exported by OTLP again").count(), 1, "{log}");
    assert!(!log.contains("old-key") && !log.contains("new-key"));
}

#[tokio::test]
async fn unread_honeycomb_key_is_read_on_demand() {
    let (stage, parameters) = (Stage::new().await, Parameters::start("").await);
    stage.otlp.respond_with([OtlpResponse::status(401)]);
    let mut lambda = parameters.function(&stage).await;
    // The init phase has ended.
    lambda.wait_until_frozen().await;
    *parameters.key.lock().unwrap() = "the-key";
    ledger(&lambda.invoke(ok(1)).await);
    lambda.wait_until_frozen().await;
    let log = lambda.kill().await;
    assert!(log.contains("ThrottlingException"), "{log}");
    assert_eq!(stage.otlp.collected().requests[0]["x-honeycomb-team"], "the-key");
    complete(&stage.traces(), 1);
}

#[tokio::test]
async fn wrong_honeycomb_key_is_reread_every_five_minutes() {
    let (stage, parameters) = (Stage::new().await, Parameters::start("wrong-key").await);
    stage.otlp.respond_with(vec![OtlpResponse::status(401); 100]);
    let mut lambda = parameters.function(&stage).await;
    invoke(&mut lambda, 5).await;
    let ledger_before = ledger(&lambda.invoke(ok(6)).await);
    assert_eq!(ledger_before["otlp"], json!([0, 0, 16, 0]));
    assert_eq!(parameters.asked.lock().unwrap().len(), 2);
    let log = lambda.kill().await;
    assert_eq!(log.matches("spans could not be exported").count(), 1, "{log}");
}

#[tokio::test]
async fn unreadable_honeycomb_key_stops_only_honeycomb() {
    let stage = Stage::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let environment = [
        ("HONEYCOMB_API_KEY_PARAMETER", "/cruddur/honeycomb".to_owned()),
        ("HONEYCOMB_API_ENDPOINT", stage.otlp.endpoint()),
        ("AWS_ENDPOINT_URL_SSM", format!("http://{closed}")),
    ];
    let this = std::env::current_exe().unwrap();
    let lambda = Lambda::start_with_args(this, &["freeze::function", "--exact", "--nocapture"], &environment).await;
    ledger(&lambda.invoke(ok(1)).await);
    let log = lambda.kill().await;
    assert!(log.contains("HONEYCOMB_API_KEY_PARAMETER") && log.contains("/cruddur/honeycomb"), "{log}");
}

#[tokio::test]
async fn blocked_runtime_still_exports_to_xray() {
    let stage = Stage::new().await;
    let lambda = stage.function(&[]).await;
    let blocking = Event { timeout: Duration::from_secs(1), ..event(1, &json!({ "block": true })) };
    // The documents arrive in several datagrams.
    let documents = async {
        let mut documents = Vec::new();
        while documents.len() < 5 {
            documents.extend(stage.xray.take().await);
            tokio::task::yield_now().await;
        }
        documents
    };
    let mut documents = tokio::select! {
        answer = lambda.invoke(blocking) => panic!("{answer:?}"),
        documents = documents => documents,
    };
    lambda.kill().await;
    documents.extend(stage.xray.take().await);
    let open: Vec<_> = documents.iter().filter(|document| document["in_progress"] == true).collect();
    let mut names: Vec<_> = open.iter().map(|document| document["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["blocking", "cruddur-api"]);
    assert!(open.iter().all(|document| document.get("end_time").is_none()));
    // Spans that had ended are exported unchanged.
    assert_eq!(documents.len(), 5);
}

/// Returns the names of the interrupted spans in an OTLP datagram.
fn interrupted(datagram: &[u8]) -> Vec<String> {
    let text = datagram.strip_prefix(b"{\"format\":\"json\",\"version\":1}\nT1S").unwrap();
    let request = STANDARD.decode(text).unwrap();
    let request = ExportTraceServiceRequest::decode(request.as_slice()).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let is_interrupted = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        span.attributes.iter().any(|attribute| attribute.key == "lambda_spans.interrupted")
    };
    scopes.flat_map(|scope| scope.spans).filter(is_interrupted).map(|span| span.name).collect()
}

#[tokio::test]
async fn blocked_runtime_still_exports_otlp_over_udp() {
    let stage = Stage::new().await;
    let daemon = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let variables = [("AWS_XRAY_DAEMON_ADDRESS", address.as_str()), ("LAMBDA_SPANS_XRAY_FORMAT", "otlp")];
    let lambda = stage.function(&variables).await;
    let blocking = Event { timeout: Duration::from_secs(1), ..event(1, &json!({ "block": true })) };
    // The spans that had ended are in a datagram of their own.
    let names = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = daemon.recv(&mut buffer).unwrap();
            let names = interrupted(&buffer[..length]);
            if !names.is_empty() {
                return names;
            }
        }
    });
    let mut names = tokio::select! {
        answer = lambda.invoke(blocking) => panic!("{answer:?}"),
        names = names => names.unwrap(),
    };
    lambda.kill().await;
    names.sort_unstable();
    // Each open span is sent once, with the invocation's own name.
    assert_eq!(names, ["blocking", "cruddur-api"]);
}
