//! Clients that disconnect from a server: their requests are canceled, not failed.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use lambda_harness::OtlpReceiver;
use lambda_spans::{AwsSdkSpans, Settings, Spans, StreamLayer};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing::info_span;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Span, summary};

struct Server {
    spans: Spans,
    otlp: OtlpReceiver,
    _subscriber: DefaultGuard,
}

impl Server {
    async fn start() -> Self {
        let otlp = OtlpReceiver::start().await;
        let endpoint = otlp.endpoint();
        let settings = Settings::from_lookup(|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
        let spans = Spans::new(&settings);
        let subscriber = tracing_subscriber::registry().with(spans.tracing_layer());
        Self { spans, otlp, _subscriber: tracing::subscriber::set_default(subscriber) }
    }

    async fn exported(self) -> Vec<Span> {
        self.spans.shutdown(Duration::from_secs(10)).await;
        self.otlp.collected().spans.into_iter().map(|(_, span)| span).collect()
    }
}

fn assert_cancelled(span: &Span) {
    let (name, _, failed, attributes) = summary(span);
    assert!(!failed && !attributes.contains_key("error.type"), "{name}: {attributes:?}");
    assert_eq!(attributes["lambda_spans.cancelled"], "bool true", "{name}");
}

#[tokio::test]
async fn disconnected_client_cancels_request_and_queries() {
    let server = Server::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Builder::new()
        .http_client(server.spans.http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(format!("http://{}", silent.local_addr().unwrap()))
        .interceptor(AwsSdkSpans);
    let client = Client::from_conf(config.build());
    let handler = async move || drop(client.list_tables().send().await);
    let router = server.spans.server(Router::new().route("/", get(handler)));
    {
        let mut request = pin!(router.oneshot(Request::new(Body::empty())));
        let mut connected = pin!(silent.accept());
        // The client waits until the query is under way.
        poll_fn(|context| {
            assert!(request.as_mut().poll(context).is_pending());
            connected.as_mut().poll(context).map(drop)
        })
        .await;
    }
    let spans = server.exported().await;
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["DynamoDB.ListTables", "GET /"]);
    spans.iter().for_each(assert_cancelled);
}

#[tokio::test]
async fn streamed_body_dropped_early_is_cancelled() {
    let server = Server::start().await;
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from("x")));
    let streamed = StreamLayer.layer(service_fn(|_: Request<Body>| {
        let body = Body::from_stream(endless.clone());
        async { Ok::<_, Infallible>(Response::new(body)) }
    }));
    let work = async {
        let body = streamed.oneshot(Request::new(Body::empty())).await.unwrap().into_body();
        let first = Body::new(body).into_data_stream().next().await;
        assert!(first.unwrap().is_ok());
    };
    server.spans.trace(info_span!(parent: None, "work"), work).await;
    // Only a server exports in the background.
    drop(server.spans.server(Router::new()));
    assert_cancelled(&server.exported().await[0]);
}

#[tokio::test]
async fn completed_request_is_not_cancelled() {
    let server = Server::start().await;
    let router = server.spans.server(Router::new().route("/", get(async || "an item")));
    assert!(router.oneshot(Request::new(Body::empty())).await.unwrap().status().is_success());
    let (_, _, failed, attributes) = summary(&server.exported().await[0]);
    assert!(!failed && !attributes.contains_key("lambda_spans.cancelled"));
}
