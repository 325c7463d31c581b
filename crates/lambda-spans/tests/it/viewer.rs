//! A viewer gets what the destinations get, and affects none of them.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use lambda_harness::{OtlpReceiver, XrayDaemon};
use lambda_spans::{Settings, Spans};
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

/// Sends one request to a server with this destination and viewer, and returns its trace id and the server's tracing.
async fn request(destination: &OtlpReceiver, viewer: SocketAddr, xray: &XrayDaemon) -> (String, Spans) {
    let endpoint = destination.endpoint();
    let settings = Settings::from_lookup(|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
    let spans = Spans::new(&settings.with_viewer(viewer, Some(xray.address().parse().unwrap())));
    let subscriber = tracing_subscriber::registry().with(spans.tracing_layer());
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = spans.server(Router::new().route("/", get(async || lambda_spans::trace_id().unwrap().to_string())));
    let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 32).await.unwrap();
    let trace_id = String::from_utf8(body.to_vec()).unwrap();
    spans.shutdown(Duration::from_secs(2)).await;
    (trace_id, spans)
}

fn trace_ids(receiver: &OtlpReceiver) -> Vec<String> {
    let spans = receiver.collected().spans;
    spans.iter().map(|(_, span)| span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

#[tokio::test]
async fn viewer_gets_spans_and_documents_of_a_request() {
    let (destination, viewer, xray) =
        (OtlpReceiver::start().await, OtlpReceiver::start().await, XrayDaemon::start().await);
    let address = viewer.endpoint().trim_start_matches("http://").parse().unwrap();
    let (trace_id, spans) = request(&destination, address, &xray).await;
    assert_eq!(trace_ids(&destination), [trace_id.as_str()]);
    assert_eq!(trace_ids(&viewer), [trace_id.as_str()]);
    let documents = xray.take().await;
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["trace_id"], format!("1-{}-{}", &trace_id[..8], &trace_id[8..]));
    let ledger = spans.ledger();
    assert_eq!((ledger.created, ledger.otlp.exported, ledger.xray.exported), (1, 1, 0));
}

#[tokio::test]
async fn silent_viewer_does_not_affect_the_destination() {
    let (destination, xray) = (OtlpReceiver::start().await, XrayDaemon::start().await);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (trace_id, spans) = request(&destination, silent.local_addr().unwrap(), &xray).await;
    assert_eq!(trace_ids(&destination), [trace_id.as_str()]);
    assert_eq!(spans.ledger().otlp.exported, 1);
}
