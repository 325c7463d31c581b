//! The entry points of HTTP functions.

use std::fmt::Debug;
use std::mem;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use lambda_http::{Adapter, IntoResponse, Request, StreamAdapter};
use lambda_runtime::{Diagnostic, Error, Runtime};
use tower::{Layer as _, Service, ServiceExt as _};

use super::mapped::Mapped;
use crate::http::axum_router::{as_router, is_of_other_axum, warn};
use crate::http::body::SyncBody;
use crate::http::event;
use crate::http::response::{Converted, Responding};
use crate::http::stream::{StreamLayer, StreamService};
use crate::http::{HttpLayer, HttpService};
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
pub async fn run<'a, R, S, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'a,
    R: IntoResponse,
    E: Debug + Into<Diagnostic> + 'static,
{
    Spans::from_env()?.run(service).await
}

/// Serves concurrent HTTP invocations: [`Spans::from_env`], then [`Spans::run_concurrent`].
///
/// # Errors
/// The errors of [`run`](crate::run()).
pub async fn run_concurrent<R, S, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: IntoResponse + Send + 'static,
    E: Debug + Into<Diagnostic> + Send + 'static,
{
    Spans::from_env()?.run_concurrent(service).await
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
pub async fn run_streaming<'a, S, B, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<B>, Error = E>,
    S::Future: Send + 'a,
    E: Debug + Into<Diagnostic> + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Into<Bytes> + Send,
    B::Error: Into<Error> + Send + Debug,
{
    Spans::from_env()?.run_streaming(service).await
}

/// Serves concurrent HTTP invocations with streamed responses: [`Spans::from_env`], then
/// [`Spans::run_streaming_concurrent`].
///
/// # Errors
/// The errors of [`run`](crate::run()).
pub async fn run_streaming_concurrent<S, B, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    E: Debug + Into<Diagnostic> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Into<Bytes> + Send,
    B::Error: Into<Error> + Send + Debug,
{
    Spans::from_env()?.run_streaming_concurrent(service).await
}

impl Spans {
    /// Serves HTTP invocations of Lambda with `service`, such as an axum router, until the process ends.
    ///
    /// Accepts each service that `lambda_http::run` accepts, also one that borrows, or that returns a text or JSON.
    /// Accepts events of API Gateway (REST and HTTP API), function URLs and Application Load Balancers. Drops a `Host`
    /// that forms no URL, on which `lambda_http` would panic, and keeps the first protocol of `X-Forwarded-Proto`.
    ///
    /// Handles one event after another. If `AWS_LAMBDA_MAX_CONCURRENCY` is set, the runtime logs a warning: use
    /// [`run_concurrent`](Self::run_concurrent).
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run<'a, R, S, E>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = R, Error = E>,
        S::Future: Send + 'a,
        R: IntoResponse,
        E: Debug + Into<Diagnostic> + 'static,
    {
        let service = traced(service, self.client_address);
        let handler = Adapter::from(service).map_request(event::with_valid_url);
        self.start(Runtime::new(handler)).await.run().await
    }

    /// The same as [`run`](Self::run), for as many events at once as `AWS_LAMBDA_MAX_CONCURRENCY` allows.
    ///
    /// Lambda Managed Instances set the variable. Without it, this function handles one event after another.
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run_concurrent<R, S, E>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
    {
        let service = traced(service, self.client_address);
        let handler = Adapter::from(service).map_request(event::with_valid_url);
        self.start(Runtime::new(handler)).await.run_concurrent().await
    }

    /// Serves HTTP invocations whose responses are streamed, as a function URL does in `RESPONSE_STREAM` mode.
    ///
    /// The invocation's span ends with the body. Buffer small responses instead: the runtime sends a stream in small
    /// writes.
    ///
    /// Handles one event after another. If `AWS_LAMBDA_MAX_CONCURRENCY` is set, the runtime logs a warning: use
    /// [`run_streaming_concurrent`](Self::run_streaming_concurrent).
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run_streaming<'a, S, B, E>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>, Error = E>,
        S::Future: Send + 'a,
        E: Debug + Into<Diagnostic> + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    {
        let service = traced_stream(service, self.client_address);
        let handler = StreamAdapter::from(service).map_request(event::with_valid_url);
        self.start(Runtime::new(handler)).await.run().await
    }

    /// The same as [`run_streaming`](Self::run_streaming), for as many events at once as `AWS_LAMBDA_MAX_CONCURRENCY`
    /// allows.
    ///
    /// Lambda Managed Instances set the variable. Without it, this function handles one event after another.
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run_streaming_concurrent<S, B, E>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    {
        let service = traced_stream(service, self.client_address);
        let service = Mapped::new(service, |response: Response<_>| response.map(SyncBody::new));
        let handler = StreamAdapter::from(service).map_request(event::with_valid_url);
        self.start(Runtime::new(handler)).await.run_concurrent().await
    }
}

/// Returns `service` with its layers.
pub(crate) fn traced<S>(service: S, client_address: bool) -> TracedService<S> {
    Mapped::new(http_layer(client_address).layer(Responding(with_routes(service))), Converted)
}

pub(crate) type TracedService<S> = Mapped<HttpService<Responding<S>>, Response<lambda_http::Body>, Converted>;

/// Returns `service` with its layers, for streamed responses.
fn traced_stream<S>(service: S, client_address: bool) -> StreamService<HttpService<S>> {
    StreamLayer.layer(http_layer(client_address).layer(with_routes(service)))
}

/// Returns the layer around the handler of an entry point.
fn http_layer(client_address: bool) -> HttpLayer {
    HttpLayer::new().with_client_address(client_address)
}

/// Adds a layer to each route of a plain axum router. Any other service stays as it is.
fn with_routes<S>(mut service: S) -> S {
    if let Some(router) = as_router(&mut service) {
        *router = mem::take(router).layer(HttpLayer::new());
    } else if is_of_other_axum::<S>() {
        warn();
    }
    service
}
