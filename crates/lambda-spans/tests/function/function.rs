//! The function that the tests run in Lambda; `HANDLER` selects its handler.
#![expect(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test's own function")]

use std::convert::Infallible;

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region, SharedHttpClient};
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::stream;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use lambda_spans::{AwsSdkSpans, ErrorType, Settings, Spans};
use serde_json::{Value, json};
use tracing::{Instrument as _, info_span};

#[expect(clippy::disallowed_methods, reason = "the tests say by variables what it is to do")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if variable("EARLIER_HOOK").is_some() {
        std::panic::set_hook(Box::new(|panic| println!("earlier hook: {:?}", panic.payload_as_str())));
    }
    if variable("EARLIER_LOGGER").is_some() {
        log::set_logger(&SilentLogger)?;
    }
    match variable("HANDLER").unwrap().as_str() {
        "http" => {
            let spans = Spans::from_env()?;
            let books = spans.clone();
            let client = spans.http_client();
            let router = router().route("/ledger", get(async move || ledger(&books)));
            spans.run(router.route("/aws", get(async move || aws(client).await))).await
        }
        "http-with-address" => {
            let settings = Settings::from_env().with_client_address();
            Spans::install(settings)?.run(Router::new().nest("/{stage}", router())).await
        }
        "http-error" => {
            let fails =
                |_: lambda_http::Request| async { Err::<Response<String>, _>(std::io::Error::other("canary-message")) };
            lambda_spans::run(service_fn(fails)).await
        }
        "streaming" => {
            let router = Router::new().route("/items/{id}", get(streamed)).route("/broken", get(broken));
            lambda_spans::run_streaming(router).await
        }
        "installed-twice" => {
            Spans::from_env()?;
            lambda_spans::run(router()).await
        }
        "event" => lambda_spans::run_event(service_fn(handle)).await,
        other => panic!("no handler {other}"),
    }
}

/// A logger of the `log` crate.
struct SilentLogger;

impl log::Log for SilentLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        false
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

fn router() -> Router {
    Router::new()
        .route("/items/{id}", get(async || "an item").put(async |body: Bytes| body))
        .route("/fail", get(async || (StatusCode::BAD_GATEWAY, Extension(ErrorType("upstream".into())), "")))
        .route("/panic", get(panics))
        .route("/log", get(async || log::warn!(target: "a-library", "written through the log crate")))
        .route("/errors", get(errors))
        .route("/integers", get(integers))
        .route("/inject", get(inject))
        .route("/trace", get(trace))
        .route("/spans/{count}/{bytes}", get(many))
        .route("/large/{count}", get(large))
        .route("/deep/{count}", get(deep))
}

/// Creates `count` spans, each with a text of `bytes` bytes that does not compress.
async fn many(Path((count, bytes)): Path<(usize, usize)>) -> &'static str {
    let mut state = 1_u64;
    for _ in 0..count {
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + u8::try_from(state >> 58).unwrap())
        });
        async {}.instrument(info_span!("child", app.noise = noise.take(bytes).collect::<String>())).await;
    }
    "spans"
}

/// Creates `count` spans, of which every 500th fails.
async fn large(Path(count): Path<usize>) -> &'static str {
    for n in 1..=count {
        let span = info_span!("one of many", app.n = n as i64, otel.status_code = tracing::field::Empty);
        if n % 500 == 0 {
            span.record("otel.status_code", "ERROR");
        }
        span.in_scope(|| ());
    }
    "spans"
}

/// Creates `count` spans, each within the one before.
async fn deep(Path(count): Path<usize>) -> &'static str {
    let mut open = Vec::new();
    for _ in 0..count {
        let span =
            info_span!(parent: open.last().map_or_else(|| tracing::Span::current().id(), tracing::Span::id), "deep");
        open.push(span);
    }
    // The outermost is dropped first, so that the innermost closes all of them.
    open.clear();
    "spans"
}

/// The ledger so far (exported, sampled out, carried, refused, overflowed, unsent) and the memory in use in KiB.
fn ledger(spans: &Spans) -> Json<Value> {
    let ledger = spans.ledger();
    let [xray, otlp, second] = [ledger.xray, ledger.otlp, ledger.second_otlp].map(|counts| {
        let dropped = counts.dropped;
        [counts.exported, counts.sampled_out, counts.carried, dropped.refused, dropped.overflowed, dropped.unsent]
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    let counts = json!({ "created": ledger.created, "xray": xray, "otlp": otlp, "resident": resident });
    // Most tests have no second destination.
    let second = (second != [0; 6]).then(|| ("second".to_owned(), json!(second)));
    let counts = counts.as_object().cloned().unwrap_or_default();
    Json(Value::Object(counts.into_iter().chain(second).collect()))
}

async fn panics() -> StatusCode {
    info_span!("inner").in_scope(|| panic!("canary-message"))
}

/// Fails in spans of each kind, and handles the errors.
async fn errors() {
    reported().ok();
    let error = std::io::Error::other("canary-message");
    info_span!("value").in_scope(|| tracing::error!(cause = &error as &dyn std::error::Error, "canary-log"));
    let named = info_span!("named");
    tracing::error!(parent: &named, error = "canary-message", "canary-log");
    info_span!("text").in_scope(|| tracing::error!("canary-log"));
    info_span!("warning").in_scope(|| tracing::warn!(?error, "canary-log"));
}

#[tracing::instrument(err(Debug))]
fn reported() -> Result<(), Failure> {
    Err(Failure { reason: "canary-message" })
}

#[derive(Debug)]
#[expect(dead_code, reason = "only its `Debug` output is read")]
struct Failure {
    reason: &'static str,
}

/// Records integers that OTLP does not have.
async fn integers() {
    let span = info_span!("entered", app.count = 9_usize, app.late = tracing::field::Empty, app.huge = u64::MAX);
    span.in_scope(|| span.record("app.late", 7_u64));
    info_span!("never-entered", app.wide = 5_u128, app.debt = -5_i128, app.id = %12_u64);
}

/// The headers of a request to another service, sent within a span.
async fn inject() -> Json<Value> {
    let mut headers = HeaderMap::new();
    info_span!("call").in_scope(|| lambda_spans::inject(&mut headers));
    let pairs = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
    Json(Value::Object(pairs.collect()))
}

/// The trace id, which is also logged.
async fn trace() -> String {
    tracing::info!("asked");
    lambda_spans::trace_id().unwrap()
}

async fn aws(client: SharedHttpClient) -> StatusCode {
    let config = Builder::new()
        .http_client(client)
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(variable("AWS_ENDPOINT_URL").unwrap())
        .interceptor(AwsSdkSpans)
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    match client.list_tables().send().await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

async fn streamed() -> Body {
    let chunks = stream::unfold(0, |n: u64| async move {
        let chunk = async { Bytes::from(format!("chunk {n}\n")) }.instrument(info_span!("chunk", app.n = n)).await;
        (n < 3).then_some((Ok::<_, Infallible>(chunk), n + 1))
    });
    Body::from_stream(chunks)
}

async fn broken() -> Body {
    Body::from_stream(stream::iter([Ok(Bytes::from("a begin")), Err(std::io::Error::other("canary-message"))]))
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload.get("action").is_some_and(|action| action == "panic") {
        panic!("canary-message");
    }
    match variable("RESPONSE") {
        Some(response) => Ok(serde_json::from_str(&response)?),
        None => Err("canary-message".into()),
    }
}
