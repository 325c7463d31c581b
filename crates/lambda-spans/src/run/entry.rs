//! The entry points that a function calls in `main`.

#[cfg(feature = "http")]
pub(crate) mod http;
mod mapped;
mod response;

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use lambda_runtime::{
    Diagnostic, Error, FunctionResponse, IntoFunctionResponse, LambdaEvent, LambdaInvocation, Runtime,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::Service;

use super::flush::{FlushMode, Traffic};
use super::lambda::LambdaService;
use super::settings::Settings;
use super::shutdown;
use super::snapstart::Restored;
use super::spans::{InstallError, Spans};
use crate::triggers::DiagnosedService;
use mapped::Mapped;
use response::{Responding, Response, TracedStream};

/// Serves invocations by events other than HTTP: [`Spans::from_env`], then [`Spans::run_event`].
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
/// The errors of [`run`](crate::run()).
pub async fn run_event<A, F, R, B, S, D, E>(handler: F) -> Result<(), Error>
where
    F: Service<LambdaEvent<A>, Response = R>,
    F::Error: Debug + Into<Diagnostic> + 'static,
    A: DeserializeOwned,
    R: IntoFunctionResponse<B, S>,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    Spans::from_env()?.run_event(handler).await
}

/// Serves concurrent invocations by events other than HTTP: [`Spans::from_env`], then [`Spans::run_event_concurrent`].
///
/// # Errors
/// The errors of [`run`](crate::run()).
pub async fn run_event_concurrent<A, F, R, B, S, D, E>(handler: F) -> Result<(), Error>
where
    F: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
    F::Future: Send + 'static,
    F::Error: Debug + Into<Diagnostic> + 'static,
    A: DeserializeOwned + Send + 'static,
    R: IntoFunctionResponse<B, S> + Send + 'static,
    B: Serialize + Send + 'static,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send + 'static,
    E: Into<Error> + Send + Debug + 'static,
{
    Spans::from_env()?.run_event_concurrent(handler).await
}

impl Spans {
    /// Installs tracing and logging with the settings from the environment.
    ///
    /// ```no_run
    /// # async fn main_() -> Result<(), lambda_runtime::Error> {
    /// let spans = lambda_spans::Spans::from_env()?;
    /// // Create AWS clients here: this code runs once, in the init phase.
    /// spans.run(axum::Router::new()).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error of [`Spans::install`].
    pub fn from_env() -> Result<Self, InstallError> {
        Self::install(Settings::from_env())
    }

    /// Serves invocations by any event that deserializes to `A`, until the process ends.
    ///
    /// Accepts each handler that `lambda_runtime::run` accepts, also one that borrows, or that streams its response.
    /// Recognizes the service that sent an event by the event, for every `A`; see [`EventLayer`](crate::EventLayer). If
    /// the handler's error becomes a [`Diagnostic`] by your own `From`, its `error_type` is the span's `error.type`.
    ///
    /// Handles one event after another. If `AWS_LAMBDA_MAX_CONCURRENCY` is set, the runtime logs a warning: use
    /// [`run_event_concurrent`](Self::run_event_concurrent).
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run_event<A, F, R, B, S, D, E>(&self, handler: F) -> Result<(), Error>
    where
        F: Service<LambdaEvent<A>, Response = R>,
        F::Error: Debug + Into<Diagnostic> + 'static,
        A: DeserializeOwned,
        R: IntoFunctionResponse<B, S>,
        B: Serialize,
        S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
        D: Into<Bytes> + Send,
        E: Into<Error> + Send + Debug,
    {
        let handler = traced(handler);
        self.start(Runtime::new(handler)).await.run().await
    }

    /// The same as [`run_event`](Self::run_event), for as many events at once as `AWS_LAMBDA_MAX_CONCURRENCY` allows.
    ///
    /// Lambda Managed Instances set the variable. Without it, this function handles one event after another.
    ///
    /// # Errors
    /// Fails if the Runtime API is unreachable.
    pub async fn run_event_concurrent<A, F, R, B, S, D, E>(&self, handler: F) -> Result<(), Error>
    where
        F: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
        F::Future: Send + 'static,
        F::Error: Debug + Into<Diagnostic> + 'static,
        A: DeserializeOwned + Send + 'static,
        R: IntoFunctionResponse<B, S> + Send + 'static,
        B: Serialize + Send + 'static,
        S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
        D: Into<Bytes> + Send + 'static,
        E: Into<Error> + Send + Debug + 'static,
    {
        let handler = traced(handler);
        self.start(Runtime::new(handler)).await.run_concurrent().await
    }

    /// Starts tracing for your own `lambda_runtime::Runtime`: the same as [`run`](Self::run), with the layers and the
    /// handler of your choice. Call it last, and run the returned `Runtime` at once.
    ///
    /// It ends the init phase, prepares the receivers, registers for SIGTERM, supports SnapStart, and adds
    /// [`LambdaLayer`](crate::LambdaLayer) as the outermost layer. The layer around the handler is
    /// [`HttpLayer`](crate::HttpLayer) or [`EventLayer`](crate::EventLayer). Run the `Runtime` by `run` or, for
    /// concurrent invocations, by `run_concurrent`.
    ///
    /// ```no_run
    /// use axum::{Router, routing::get};
    /// use lambda_runtime::Runtime;
    /// use lambda_spans::{HttpLayer, Spans};
    /// use tower::Layer;
    ///
    /// # async fn main_() -> Result<(), lambda_runtime::Error> {
    /// let spans = Spans::from_env()?;
    /// let router: Router = Router::new().route("/", get(|| async { "hello" })).layer(HttpLayer::new());
    /// let handler = lambda_http::Adapter::from(HttpLayer::new().layer(router));
    /// spans.start(Runtime::new(handler)).await.run().await
    /// # }
    /// ```
    pub async fn start<S>(&self, runtime: Runtime<S>) -> Runtime<LambdaService<S>>
    where
        S: Service<LambdaInvocation, Response = (), Error = Error>,
    {
        let spans = self.clone().end_init_phase().await;
        let runtime = runtime.layer(spans.started_layer());
        runtime.register_snapstart_resource(Arc::new(Restored(spans)))
    }

    /// Ends the init phase.
    async fn end_init_phase(mut self) -> Self {
        if self.concurrency > 1 {
            // Lambda does not freeze a process with concurrent invocations, and none of them may delay another.
            self.traffic = Arc::new(Traffic::new(FlushMode::Background));
            self.pipeline.clone().export_in_background(self.budget);
        }
        if self.is_snapshot() && self.traffic.mode() == FlushMode::Adaptive {
            // AWS does not document whether a copy of a snapshot receives SIGTERM.
            self.traffic = Arc::new(Traffic::new(FlushMode::End));
        }
        // Spans are carried only if a signal announces the end of the process.
        let holds = self.enabled && self.traffic.mode() != FlushMode::End && self.pipeline.carries_spans();
        let is_announced = (holds || self.cleanup.is_needed()) && shutdown::export_at_the_end(self.clone()).await;
        if holds && !is_announced && self.traffic.mode() == FlushMode::Adaptive {
            self.traffic = Arc::new(Traffic::new(FlushMode::End));
        }
        self.warn_of_missing_roots();
        self.prepared().await;
        if self.traffic.mode() == FlushMode::Adaptive && !self.pipeline.connects_within(shutdown::LAST_EXPORT) {
            let left = shutdown::LAST_EXPORT.as_millis();
            tracing::info!(
                "connecting to the OTLP receiver takes longer than {left} ms: spans are exported after every response"
            );
            self.traffic = Arc::new(Traffic::new(FlushMode::End));
        }
        self.init.polled();
        self
    }
}

/// Returns `handler` with its layers.
fn traced<F, B, S>(handler: F) -> TracedHandler<F, B, S> {
    Mapped::new(DiagnosedService::new(Responding::new(handler)), |Response(response)| response)
}

type TracedHandler<F, B, S> =
    Mapped<DiagnosedService<Responding<F, B, S>>, Response<B, TracedStream<S>>, FunctionResponse<B, TracedStream<S>>>;
