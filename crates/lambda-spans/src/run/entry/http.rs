//! The entry points of HTTP functions.

use std::any::Any;
use std::fmt::Debug;
use std::mem;

use axum::Router;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use lambda_http::{Adapter, Request, StreamAdapter};
use lambda_runtime::{Diagnostic, Error, Runtime};
use tower::{Layer as _, Service, ServiceExt as _};

use crate::http::HttpLayer;
use crate::http::body::SyncBody;
use crate::http::event;
use crate::http::stream::StreamLayer;
use crate::run::spans::Spans;

/// Serves HTTP invocations with `service` and the settings from the environment: [`Spans::from_env`], then
/// [`Spans::run`].
///
/// ```no_run
/// use axum::{Router, routing::get};
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), lambda_runtime::Error> {
///     lambda_spans::run(Router::new().route("/", get(|| async { "hello" }))).await
/// }
/// ```
///
/// # Errors
/// Fails if another subscriber is installed or the Runtime API is unreachable.
pub async fn run<S, B>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Debug + Into<Diagnostic> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Debug,
{
    Spans::from_env()?.run(service).await
}

/// Serves HTTP invocations with streamed responses: [`Spans::from_env`], then [`Spans::run_streaming`].
///
/// ```no_run
/// use axum::{Router, body::Body, routing::get};
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), lambda_runtime::Error> {
///     lambda_spans::run_streaming(Router::new().route("/", get(|| async { Body::from("hello") }))).await
/// }
/// ```
///
/// # Errors
/// The errors of [`run`](crate::run()).
pub async fn run_streaming<S, B>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Debug + Into<Diagnostic>,
    B: Body + Unpin + Send + 'static,
    B::Data: Into<Bytes> + Send,
    B::Error: Into<Error> + Send + Debug,
{
    Spans::from_env()?.run_streaming(service).await
}

impl Spans {
    /// Serves HTTP invocations of Lambda with `service`, such as an axum router, until the process ends.
    ///
    /// Accepts events of API Gateway (REST and HTTP API), function URLs and Application Load Balancers. Drops a `Host`
    /// that forms no URL, on which `lambda_http` would panic, and keeps the first protocol of `X-Forwarded-Proto`.
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run<S, B>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Debug + Into<Diagnostic> + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Send,
        B::Error: Debug,
    {
        let service = http_layer(self.client_address).layer(with_routes(service));
        let service = service.map_response(|response| response.map(SyncBody::new));
        self.run_runtime(Runtime::new(Adapter::from(service).map_request(event::with_valid_url))).await
    }

    /// Serves HTTP invocations whose responses are streamed, as a function URL does in `RESPONSE_STREAM` mode.
    ///
    /// The invocation's span ends with the body. Buffer small responses instead: the runtime sends a stream in small
    /// writes.
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run_streaming<S, B>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Debug + Into<Diagnostic>,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    {
        let service = StreamLayer.layer(http_layer(self.client_address).layer(with_routes(service)));
        let handler = StreamAdapter::from(service).map_request(event::with_valid_url);
        self.start(Runtime::new(handler)).await.run().await
    }
}

/// Returns the layer around a whole service.
pub(crate) fn http_layer(client_address: bool) -> HttpLayer {
    HttpLayer::new().with_client_address(client_address)
}

/// A plain axum router shows the matched route only to layers inside of it.
pub(crate) fn with_routes<S: 'static>(mut service: S) -> S {
    if let Some(router) = (&mut service as &mut dyn Any).downcast_mut::<Router>() {
        *router = mem::take(router).layer(HttpLayer::new());
    }
    service
}
