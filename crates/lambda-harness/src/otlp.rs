//! A stand-in for Honeycomb or an OpenTelemetry collector.

use std::collections::VecDeque;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::within;

mod raw;

pub use raw::{Raw, Then};

/// What has arrived by OTLP.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Each span with the attributes of its resource.
    pub spans: Vec<(Vec<(String, String)>, Span)>,
    /// The headers of each request.
    pub requests: Vec<HeaderMap>,
    /// When the first request had arrived that was collected.
    pub first: Option<Instant>,
    /// When each request had arrived, collected or not.
    pub arrivals: Vec<Instant>,
}

/// Takes OTLP/HTTP requests on a loopback port.
#[derive(Debug)]
pub struct OtlpReceiver {
    endpoint: String,
    shared: Arc<Shared>,
    closed: Option<TcpListener>,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// How many spans it says it has rejected.
    pub rejected: i64,
}

impl Reply {
    /// An answer of this status and nothing else.
    pub fn status(status: u16) -> Self {
        Self { status, retry_after: None, rejected: 0 }
    }
}

#[derive(Debug)]
struct Shared {
    collected: Mutex<Collected>,
    replies: Mutex<VecDeque<Reply>>,
    answering: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

impl OtlpReceiver {
    /// Starts it on a free port. It answers at once, until it is told to hold its answers.
    pub async fn start() -> Self {
        let mut receiver = Self::closed().await;
        receiver.open();
        receiver
    }

    /// One whose port takes connections that nobody accepts, until it is opened.
    pub async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            collected: Mutex::default(),
            replies: Mutex::default(),
            answering: watch::Sender::new(true),
            arrived: watch::Sender::new(0),
        });
        Self { endpoint, shared, closed: Some(listener) }
    }

    /// One that does on each connection as `raw` says, whatever it is asked.
    pub async fn start_raw(raw: Raw) -> Self {
        let mut receiver = Self::closed().await;
        if let Some(listener) = receiver.closed.take() {
            tokio::spawn(raw.serve(listener, receiver.shared.clone()));
        }
        receiver
    }

    /// Accepts the connections to one that was closed.
    pub fn open(&mut self) {
        if let Some(listener) = self.closed.take() {
            let router = Router::new().route("/v1/traces", post(export)).with_state(self.shared.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
    }

    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Whether requests are answered, or kept waiting.
    pub fn answer(&self, answering: bool) {
        self.shared.answering.send_replace(answering);
    }

    /// The answers to the requests to come; what follows is answered with 200. What is not answered with a 2xx is
    /// not collected.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.replies.lock().unwrap_or_else(PoisonError::into_inner).extend(replies);
    }

    /// Waits until this many requests have arrived.
    pub async fn arrived(&self, requests: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        within(arrived.wait_for(|seen| *seen >= requests)).await.expect("the receiver is there");
    }

    /// All that has arrived so far.
    pub fn collected(&self) -> Collected {
        self.shared.collected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn note_arrival(&self) {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).arrivals.push(Instant::now());
        self.arrived.send_modify(|seen| *seen += 1);
    }
}

async fn export(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let reply = shared.replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let reply = reply.unwrap_or(Reply::status(200));
    if reply.status < 300 {
        collect(&shared, headers, &body);
    }
    shared.note_arrival();
    shared.answering.subscribe().wait_for(|answering| *answering).await.expect("the receiver is there");
    let partial = ExportTracePartialSuccess { rejected_spans: reply.rejected, error_message: String::new() };
    let answer = ExportTraceServiceResponse { partial_success: (reply.rejected > 0).then_some(partial) };
    let status = StatusCode::from_u16(reply.status).expect("a status");
    let after = reply.retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
    match after {
        Some(after) => (status, after, answer.encode_to_vec()).into_response(),
        None => (status, answer.encode_to_vec()).into_response(),
    }
}

fn collect(shared: &Shared, headers: HeaderMap, body: &Bytes) {
    let mut plain = Vec::new();
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        GzDecoder::new(body.as_ref()).read_to_end(&mut plain).expect("gzip");
    } else {
        plain.extend_from_slice(body);
    }
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).expect("protobuf");
    let mut collected = shared.collected.lock().unwrap_or_else(PoisonError::into_inner);
    for resource_spans in request.resource_spans {
        let attributes = resource_spans.resource.map(|resource| resource.attributes).unwrap_or_default();
        let resource: Vec<_> = attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect();
        let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        collected.spans.extend(spans.map(|span| (resource.clone(), span)));
    }
    collected.requests.push(headers);
    collected.first.get_or_insert_with(Instant::now);
}

fn text(value: Option<opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    }
}
