//! The function that the tests run in Lambda; `HANDLER` selects its handler.
#![expect(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test's own function")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region, SharedHttpClient};
use aws_sdk_sqs::types::MessageAttributeValue;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::{FutureExt as _, Stream, stream};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, StreamResponse, service_fn};
use lambda_spans::{AwsSdkSpans, ClientLayer, ErrorType, Settings, Spans, TypedError};
use serde_json::{Value, json};
use tower::{BoxError, Layer as _, ServiceExt as _};
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
            let sqs = client.clone();
            let router = router.route("/sqs", get(async move || queue(sqs).await));
            spans.run_concurrent(router.route("/aws", get(async move || aws(client).await))).await
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
        "borrowed-text" => {
            let kept = "a kept text\n".to_owned();
            let answer = |_: lambda_http::Request| async { Ok::<_, Infallible>(kept.as_str()) };
            lambda_spans::run(service_fn(answer)).await
        }
        "json" => {
            let answer = async |_: lambda_http::Request| {
                Ok::<_, Error>((StatusCode::SERVICE_UNAVAILABLE, json!({ "retry": "soon" })))
            };
            lambda_spans::run(service_fn(answer)).await
        }
        "streaming" => lambda_spans::run_streaming(streams()).await,
        "streaming-concurrent" => lambda_spans::run_streaming_concurrent(streams()).await,
        "streamed-event" => {
            let kept = "chunk".to_owned();
            let answer =
                |_: LambdaEvent<Value>| async { Ok::<_, Error>(StreamResponse::from(Box::pin(chunks(kept.clone())))) };
            lambda_spans::run_event(service_fn(answer)).await
        }
        "broken-event" => {
            let answer = async |_: LambdaEvent<Value>| Ok::<_, Error>(StreamResponse::from(broken_chunks()));
            lambda_spans::run_event(service_fn(answer)).await
        }
        "installed-twice" => {
            Spans::from_env()?;
            lambda_spans::run(router()).await
        }
        "event" => {
            lambda_spans::register_typed_error::<Conflict>();
            lambda_spans::run_event(service_fn(handle)).await
        }
        "diagnosed" => lambda_spans::run_event(service_fn(async |_: LambdaEvent<Value>| Err::<(), _>(Conflict))).await,
        "records" => lambda_spans::run_event(service_fn(records)).await,
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
        .route("/call/{result}", get(call))
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
        let span = info_span!("one of many", app.n = n, otel.status_code = tracing::field::Empty);
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

/// Calls another service, whose response or error is `result`. Returns the headers that the service received.
async fn call(Path(result): Path<String>) -> Json<Value> {
    let received = Arc::new(Mutex::new(json!({})));
    let (headers, gives_up) = (received.clone(), result == "pending");
    let client = ClientLayer.layer(service_fn(move |request: Request<()>| {
        let pairs = request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
        *headers.lock().unwrap() = Value::Object(pairs.collect());
        respond(result.clone())
    }));
    let uri = "https://user:canary@shop.example:8443/items/7?token=canary";
    let request = Request::post(uri).header("traceparent", "of another span").body(()).unwrap();
    let call = client.oneshot(request);
    if gives_up {
        call.now_or_never();
    } else {
        call.await.ok();
    }
    Json(received.lock().unwrap().take())
}

async fn respond(result: String) -> Result<Response<()>, BoxError> {
    info_span!("connect").in_scope(|| ());
    match result.as_str() {
        "timeout" => Ok(tokio::time::timeout(Duration::ZERO, std::future::pending()).await?),
        "refused" => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()),
        "pending" => std::future::pending().await,
        status => Ok(Response::builder().status(status).body(())?),
    }
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

async fn queue(client: SharedHttpClient) -> StatusCode {
    let config = aws_sdk_sqs::config::Builder::new()
        .http_client(client)
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(variable("AWS_ENDPOINT_URL").unwrap())
        .interceptor(AwsSdkSpans)
        .build();
    let client = aws_sdk_sqs::Client::from_conf(config);
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
    let mut message = client.send_message().queue_url(url).message_body("canary");
    for (name, value) in lambda_spans::context_pairs() {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
        message = message.message_attributes(name, value);
    }
    let sent = message.send().await;
    let received = client.receive_message().queue_url(url).send().await;
    let deleted = client.delete_message().queue_url(url).receipt_handle("canary").send().await;
    if sent.is_ok() && received.is_ok() && deleted.is_ok() { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
}

fn streams() -> Router {
    let streamed = async || Body::from_stream(chunks("chunk".to_owned()));
    let broken = async || Body::from_stream(broken_chunks());
    Router::new().route("/items/{id}", get(streamed)).route("/broken", get(broken))
}

fn chunks(text: String) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((0, text), |(n, text): (u64, String)| async move {
        let chunk = async { Bytes::from(format!("{text} {n}\n")) }.instrument(info_span!("chunk", app.n = n)).await;
        (n < 3).then_some((Ok(chunk), (n + 1, text)))
    })
}

fn broken_chunks() -> impl Stream<Item = Result<Bytes, std::io::Error>> + Unpin {
    stream::iter([Ok(Bytes::from("a begin")), Err(std::io::Error::other("canary-message"))])
}

/// Continues the trace of each record's sender. Returns the trace ids and outgoing headers of the records.
async fn records(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let mut answers = Vec::new();
    for record in event.payload.get("Records").and_then(Value::as_array).into_iter().flatten() {
        let span = info_span!("record");
        let found = lambda_spans::continue_from(&span, record);
        let work = async {
            tracing::info!("asked");
            let pairs: HashMap<_, _> = lambda_spans::context_pairs().into_iter().collect();
            json!({ "found": found, "trace_id": lambda_spans::trace_id(), "pairs": pairs })
        };
        answers.push(async { work.instrument(info_span!("work")).await }.instrument(span).await);
    }
    info_span!("after").in_scope(|| tracing::info!("asked"));
    match variable("RESPONSE").as_deref() {
        Some("error") => return Err("canary-message".into()),
        Some(_) => {
            lambda_spans::continue_from(&tracing::Span::current(), &event.payload.pointer("/Records/0"));
        }
        None => {}
    }
    Ok(Value::from(answers))
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload.get("action").is_some_and(|action| action == "panic") {
        panic!("canary-message");
    }
    if event.payload.get("action").is_some_and(|action| action == "conflict") {
        return Err(Conflict)?;
    }
    match variable("RESPONSE") {
        Some(response) => Ok(serde_json::from_str(&response)?),
        None => Err("canary-message".into()),
    }
}

/// An error that names itself in both ways.
#[derive(Debug)]
struct Conflict;

impl std::fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("canary-message")
    }
}

impl std::error::Error for Conflict {}

impl TypedError for Conflict {
    fn error_type(&self) -> Cow<'static, str> {
        "conflict".into()
    }
}

impl From<Conflict> for Diagnostic {
    fn from(error: Conflict) -> Self {
        Self { error_type: "ConflictDiagnostic".to_owned(), error_message: error.to_string() }
    }
}
