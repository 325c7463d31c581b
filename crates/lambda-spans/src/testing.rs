//! Finished spans of an invocation in memory, for the unit tests of a function.
//!
//! Add the feature `testing` to a dev-dependency:
//!
//! ```toml
//! [dev-dependencies]
//! lambda-spans = { path = "…", features = ["testing"] }
//! ```
//!
//! `http` sends a request to a router, and [`event`] an event to a handler:
//!
#![cfg_attr(feature = "http", doc = "```")]
#![cfg_attr(not(feature = "http"), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use lambda_spans::testing;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let router = Router::new().route("/items/{id}", get(|| async { "an item" }));
//! let invocation = testing::http(router, http::Request::get("/items/1").body(()).unwrap()).await;
//! assert_eq!(invocation.root().route(), Some("/items/{id}"));
//! assert_eq!(invocation.root().status_code(), Some(200));
//! # }
//! ```
//!
//! The invocation takes the same path as in Lambda: event, layers, recorder, limits and
//! [span hooks](crate::Settings::with_span_hook). It needs no network, no environment variable and no global subscriber,
//! so tests can run in parallel. Sampling has no effect: every span is returned.
//!
//! Only the handler's own tasks are recorded. A task that the handler spawns needs
//! `tracing::instrument::WithSubscriber::with_current_subscriber`, and the handler must await it: spans that end later
//! are missing. Spans that a library starts through the global OpenTelemetry tracer provider are missing, too.
//!
//! These tests do not cover the binary: its `main`, its settings, freezing, and what arrives at the destinations.
//! `lambda-harness`, in the same repository, runs the real binary in a stand-in for Lambda with receivers for both
//! destinations.

mod answer;
#[cfg(feature = "http")]
mod request;
mod span;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt as _;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, LambdaInvocation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::{Layer as _, Service, ServiceExt as _};
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::clock::Moment;
use crate::run::settings::Settings;
use crate::run::spans::Spans;
use crate::triggers::DiagnosedService;
use answer::{Answer, Answering};

pub use answer::Failure;
#[cfg(feature = "http")]
pub use request::http;
pub use span::RecordedSpan;

/// The maximum time of an invocation in Lambda.
const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Passes one event to `handler`, as [`run_event`](crate::run_event) does, and returns its spans.
///
/// The trigger is recognized by `payload`, as in Lambda: the root span has its name, attributes and links.
///
/// ```
/// use lambda_runtime::{Error, LambdaEvent, service_fn};
/// use lambda_spans::testing;
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = service_fn(|event: LambdaEvent<Value>| async move {
///     tracing::info_span!("reserve", items = 2).in_scope(|| Ok::<_, Error>(event.payload["order"].clone()))
/// });
/// let invocation = testing::event(handler, json!({ "order": 7 })).await;
/// assert_eq!(invocation.span("reserve").integer("items"), Some(2));
/// assert_eq!(invocation.result(), Ok(&json!(7)));
/// # }
/// ```
pub async fn event<S, T, R>(handler: S, payload: impl Serialize) -> Invocation<R>
where
    S: Service<LambdaEvent<T>, Response = R>,
    S::Error: fmt::Debug + Into<Diagnostic> + 'static,
    T: DeserializeOwned,
    R: Serialize,
{
    Recording::new().event(handler, payload).await
}

/// Records invocations with other settings or another context than the default.
///
/// ```
/// use lambda_runtime::{Error, LambdaEvent, service_fn};
/// use lambda_spans::{Settings, testing::Recording};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let settings = Settings::from_lookup(|_| None).with_span_hook(|span| span.set_attribute("app.tenant", "acme"));
/// let handler = service_fn(|_: LambdaEvent<Value>| async { Ok::<_, Error>(()) });
/// let invocation = Recording::with(settings).event(handler, json!({})).await;
/// assert_eq!(invocation.root().text("app.tenant"), Some("acme"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Recording {
    settings: Settings,
    context: Context,
}

impl Recording {
    /// Uses the default of each setting. The environment has no effect.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings::from_lookup(|_| None))
    }

    /// Uses `settings`, except for their destinations.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        let mut context = Context::default();
        context.request_id = "8f7ab2c1-3d4e-4f50-9a6b-7c8d9e0f1a2b".to_owned();
        context.invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function".to_owned();
        let function = lambda_runtime::Config { function_name: "function".to_owned(), ..Default::default() };
        context.env_config = Arc::new(function);
        let deadline = Moment::now().wall() + TIME_LIMIT;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        context.deadline = u64::try_from(deadline).unwrap_or_default();
        Self { settings, context }
    }

    /// Sets the context that Lambda passes to the handler, for example with a tenant.
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Passes one event to `handler`; see [`event`].
    pub fn event<S, T, R, P>(&self, handler: S, payload: P) -> impl Future<Output = Invocation<R>> + use<S, T, R, P>
    where
        S: Service<LambdaEvent<T>, Response = R>,
        S::Error: fmt::Debug + Into<Diagnostic> + 'static,
        T: DeserializeOwned,
        R: Serialize,
        P: Serialize,
    {
        self.invoke(DiagnosedService::new(handler), &payload)
    }

    /// Passes one event to a service that already has its inner layer.
    fn invoke<S, T, P>(&self, handler: S, payload: &P) -> impl Future<Output = Invocation<S::Response>> + use<S, T, P>
    where
        S: Service<LambdaEvent<T>>,
        S::Error: Into<Diagnostic>,
        T: DeserializeOwned,
        P: Serialize,
    {
        let spans = Spans::in_memory(&self.settings);
        let answer = Answer::default();
        let body = serde_json::to_vec(payload).unwrap_or_else(|error| {
            answer.set(Err(Failure::Unreadable(error.to_string())));
            Vec::new()
        });
        let (parts, ()) = ::http::Response::new(()).into_parts();
        let invocation = LambdaInvocation { parts, body: Bytes::from(body), context: self.context.clone() };
        let service = spans.started_layer().layer(Answering::new(handler, answer.clone()));
        let subscriber = Registry::default().with(spans.tracing_layer());
        service.oneshot(invocation).with_subscriber(subscriber).map(move |_| {
            let finished = spans.take_finished().into_iter().flat_map(|finished| finished.spans);
            Invocation { result: answer.take(), spans: finished.map(RecordedSpan::new).collect() }
        })
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

/// The result and the spans of one invocation.
#[derive(Clone, Debug)]
pub struct Invocation<R> {
    result: Result<R, Failure>,
    spans: Vec<RecordedSpan>,
}

impl<R> Invocation<R> {
    /// Returns the handler's response, or why there is none.
    pub fn result(&self) -> Result<&R, &Failure> {
        self.result.as_ref()
    }

    /// Returns the handler's response, or why there is none, by value.
    pub fn into_result(self) -> Result<R, Failure> {
        self.result
    }

    /// Returns the handler's response.
    ///
    /// # Panics
    /// Panics if the invocation failed.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by a panic")]
    pub fn response(&self) -> &R {
        match &self.result {
            Ok(response) => response,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Returns all spans in the order in which they ended.
    #[must_use]
    pub fn spans(&self) -> &[RecordedSpan] {
        &self.spans
    }

    /// Returns the span of the invocation itself.
    ///
    /// # Panics
    /// Panics if the settings disable all spans.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by a panic")]
    pub fn root(&self) -> &RecordedSpan {
        let Some(root) = self.spans.iter().rfind(|span| span.is_root()) else {
            panic!("the invocation has no root span; check OTEL_SDK_DISABLED in the settings")
        };
        root
    }

    /// Returns the first span with this name that ended.
    ///
    /// # Panics
    /// Panics if no span has this name. The message lists all names.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by a panic")]
    pub fn span(&self, name: &str) -> &RecordedSpan {
        let Some(span) = self.find(name) else {
            let names: Vec<_> = self.spans.iter().map(RecordedSpan::name).collect();
            panic!("no span is named {name:?}; the invocation has {names:?}")
        };
        span
    }

    /// Returns the first span with this name that ended, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RecordedSpan> {
        self.spans.iter().find(|span| span.name() == name)
    }

    /// Returns the spans directly below `span`, in the order in which they ended.
    #[must_use]
    pub fn children(&self, span: &RecordedSpan) -> Vec<&RecordedSpan> {
        self.spans.iter().filter(|child| child.is_child_of(span)).collect()
    }
}

#[cfg(test)]
mod tests;
