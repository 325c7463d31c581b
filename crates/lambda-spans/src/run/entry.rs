//! The entry points: what a function calls in `main`.

use std::any::Any;
use std::fmt::Debug;
use std::mem;
use std::sync::{Arc, PoisonError};

use axum::Router;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use lambda_http::{Adapter, Request, StreamAdapter};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::{Layer as _, Service, ServiceExt as _};

use super::flush::{FlushMode, Traffic};
use super::settings::Settings;
use super::shutdown;
use super::snapstart::Restored;
use super::spans::Spans;
use crate::http::HttpLayer;
use crate::http::body::SyncBody;
use crate::http::stream::StreamLayer;
use crate::triggers::EventLayer;
use crate::variables::SettingsErrors;

/// Serves HTTP invocations with `service`, with the settings of the environment: [`Spans::from_env`], then
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
/// When a setting cannot be used, another subscriber is installed, or the Runtime API cannot be reached.
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
/// As [`run`].
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

/// Serves invocations by any other event: [`Spans::from_env`], then [`Spans::run_event`].
///
/// ```no_run
/// use lambda_runtime::{Error, LambdaEvent, service_fn};
/// use serde_json::{Value, json};
///
/// async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
///     Ok(json!({ "seen": event.payload }))
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Error> {
///     lambda_spans::run_event(service_fn(handle)).await
/// }
/// ```
///
/// # Errors
/// As [`run`].
pub async fn run_event<S, T, R>(handler: S) -> Result<(), Error>
where
    S: Service<LambdaEvent<T>, Response = R> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Debug + Into<Diagnostic> + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
{
    Spans::from_env()?.run_event(handler).await
}

impl Spans {
    /// Installs tracing and logging with the settings of the environment.
    ///
    /// ```no_run
    /// # async fn main_() -> Result<(), lambda_runtime::Error> {
    /// let spans = lambda_spans::Spans::from_env()?;
    /// // What is made here, such as AWS clients, is made once for the process.
    /// spans.run(axum::Router::new()).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// All settings that cannot be used, together; or what [`Spans::install`] gives.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self::install(Settings::from_env().map_err(SettingsErrors)?)?)
    }

    /// Serves HTTP invocations of Lambda with `service`, such as an axum router, until the process ends.
    ///
    /// Events of API Gateway (REST and HTTP API), function URLs and Application Load Balancers are understood.
    ///
    /// # Errors
    /// When the Runtime API cannot be reached.
    pub async fn run<S, B>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Debug + Into<Diagnostic> + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Send,
        B::Error: Debug,
    {
        let service = self.http_layer().layer(with_routes(service));
        let service = service.map_response(|response| response.map(SyncBody::new));
        self.serve(Runtime::new(Adapter::from(service))).await
    }

    /// Serves HTTP invocations whose responses are streamed, as a function URL does in `RESPONSE_STREAM` mode.
    ///
    /// The invocation's span ends with the body. A small response is better buffered: the runtime sends a stream
    /// in small writes.
    ///
    /// # Errors
    /// When the Runtime API cannot be reached.
    pub async fn run_streaming<S, B>(&self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Debug + Into<Diagnostic>,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    {
        let service = StreamLayer.layer(self.http_layer().layer(with_routes(service)));
        let spans = self.clone().end_init_phase().await;
        let runtime = Runtime::new(StreamAdapter::from(service)).layer(spans.lambda_layer());
        runtime.register_snapstart_resource(Arc::new(Restored(spans))).run().await
    }

    /// Serves invocations by any event that `T` can be read from, until the process ends.
    ///
    /// Amazon SQS, SNS, DynamoDB Streams, EventBridge and Cognito are recognized by the event, whatever `T` is;
    /// see [`EventLayer`].
    ///
    /// # Errors
    /// When the Runtime API cannot be reached.
    pub async fn run_event<S, T, R>(&self, handler: S) -> Result<(), Error>
    where
        S: Service<LambdaEvent<T>, Response = R> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Debug + Into<Diagnostic> + Send + 'static,
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
    {
        self.serve(Runtime::new(EventLayer.layer(handler))).await
    }

    /// What belongs to the init phase, at its end.
    async fn end_init_phase(mut self) -> Self {
        if self.concurrency > 1 {
            // Lambda freezes no process that has several invocations at once, and none of them may hold up another.
            self.traffic = Arc::new(Traffic::new(FlushMode::Background));
            self.pipeline.clone().export_in_background(self.budget);
        }
        if self.is_snapshot() && self.traffic.mode() == FlushMode::Adaptive {
            // Whether a copy of this process is told of its end is not documented.
            self.traffic = Arc::new(Traffic::new(FlushMode::End));
        }
        // Spans are held back only where a signal will say that the end has come.
        let holds = self.enabled && self.traffic.mode() != FlushMode::End && self.pipeline.has_otlp();
        if holds && !shutdown::export_at_the_end(self.clone()).await && self.traffic.mode() == FlushMode::Adaptive {
            self.traffic = Arc::new(Traffic::new(FlushMode::End));
        }
        let preparation = self.preparation.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(prepared) = preparation {
            // It has been under way beside the rest of the init phase, and is bounded by itself.
            prepared.await.ok();
        }
        self.init.polled();
        self
    }

    fn http_layer(&self) -> HttpLayer {
        HttpLayer::new().with_client_address(self.client_address)
    }

    /// One event after another, or as many at once as Lambda allows.
    async fn serve<S>(&self, runtime: Runtime<S>) -> Result<(), Error>
    where
        S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
        S::Future: Send + 'static,
    {
        let spans = self.clone().end_init_phase().await;
        let runtime =
            runtime.layer(spans.lambda_layer()).register_snapstart_resource(Arc::new(Restored(spans.clone())));
        if spans.concurrency > 1 { runtime.run_concurrent().await } else { runtime.run().await }
    }
}

/// A plain axum router tells the matched route only to layers inside of it.
fn with_routes<S: 'static>(mut service: S) -> S {
    if let Some(router) = (&mut service as &mut dyn Any).downcast_mut::<Router>() {
        *router = mem::take(router).layer(HttpLayer::new());
    }
    service
}
