//! An OTLP/HTTP receiver, in place of Honeycomb or an OpenTelemetry Collector.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

mod inbox;
mod raw;

pub use inbox::Collected;
use inbox::Inbox;
pub use raw::{AfterResponse, RawResponse};

/// Receives traces over OTLP/HTTP on a loopback port.
#[derive(Debug)]
pub struct OtlpReceiver {
    endpoint: String,
    shared: Arc<Shared>,
    unopened: Option<TcpListener>,
}

/// The response to one request.
#[derive(Clone, Debug)]
pub struct OtlpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The value of `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The number of rejected spans to report in `partial_success`.
    pub rejected: i64,
}

impl OtlpResponse {
    /// Returns a response with this status, without `Retry-After` or rejected spans.
    pub fn status(status: u16) -> Self {
        Self { status, retry_after: None, rejected: 0 }
    }
}

#[derive(Debug)]
struct Shared {
    inbox: Arc<Inbox>,
    responses: Mutex<VecDeque<OtlpResponse>>,
    responding: watch::Sender<bool>,
}

impl OtlpReceiver {
    /// Starts a receiver on a free port. It responds with 200 immediately.
    pub async fn start() -> Self {
        let mut receiver = Self::bind().await;
        receiver.open();
        receiver
    }

    /// Binds a free port without accepting connections. The kernel queues them until [`open`](Self::open).
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            inbox: Arc::new(Inbox::new()),
            responses: Mutex::default(),
            responding: watch::Sender::new(true),
        });
        Self { endpoint, shared, unopened: Some(listener) }
    }

    /// Starts a receiver that sends the same raw bytes on each connection.
    pub async fn start_raw(response: RawResponse) -> Self {
        let mut receiver = Self::bind().await;
        if let Some(listener) = receiver.unopened.take() {
            tokio::spawn(response.serve(listener, receiver.shared.inbox.clone()));
        }
        receiver
    }

    /// Accepts connections after [`bind`](Self::bind).
    pub fn open(&mut self) {
        if let Some(listener) = self.unopened.take() {
            let router = Router::new().route("/v1/traces", post(export)).with_state(self.shared.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
    }

    /// Returns the value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Sends responses if `responding`; otherwise holds them back until the next call.
    pub fn set_responding(&self, responding: bool) {
        self.shared.responding.send_replace(responding);
    }

    /// Queues responses for the next requests; later requests get 200. A request is collected only if its response is
    /// a 2xx.
    pub fn respond_with(&self, responses: impl IntoIterator<Item = OtlpResponse>) {
        self.shared.responses.lock().unwrap_or_else(PoisonError::into_inner).extend(responses);
    }

    /// Waits until this many requests have arrived since the start.
    pub async fn wait_for_requests(&self, count: usize) {
        self.shared.inbox.wait_for_requests(count).await;
    }

    /// Returns everything collected so far.
    pub fn collected(&self) -> Collected {
        self.shared.inbox.collected()
    }
}

async fn export(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let response = shared.responses.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let response = response.unwrap_or(OtlpResponse::status(200));
    if response.status < 300 {
        shared.inbox.accept(headers, &body);
    }
    shared.inbox.record_arrival();
    shared.responding.subscribe().wait_for(|responding| *responding).await.expect("the receiver is running");
    let partial = ExportTracePartialSuccess { rejected_spans: response.rejected, error_message: String::new() };
    let body = ExportTraceServiceResponse { partial_success: (response.rejected > 0).then_some(partial) };
    let status = StatusCode::from_u16(response.status).expect("a status");
    match response.retry_after {
        Some(seconds) => (status, [("retry-after", seconds.to_string())], body.encode_to_vec()).into_response(),
        None => (status, body.encode_to_vec()).into_response(),
    }
}
