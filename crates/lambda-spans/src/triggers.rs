//! The inner layer of functions that are not behind HTTP: the event source and the result of each batch.

mod activemq;
mod batch;
mod cognito;
mod detect;
mod documentdb;
mod durable;
mod dynamodb;
mod event;
mod eventbridge;
mod json_scan;
mod kafka;
mod kinesis;
mod rabbitmq;
mod s3;
mod sender;
mod sns;
mod sqs;
pub(crate) mod trigger;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use lambda_runtime::{Diagnostic, LambdaEvent};
use opentelemetry::Context;
use pin_project_lite::pin_project;
use serde::Serialize;
use tower::{Layer, Service};

use crate::trace::inbound;
use crate::trace::lookup;
use crate::trace::outcome::HandlerOutcome;
use batch::RecordBatch;

/// Records an invocation's event: name, kind, `faas.trigger`, links to the senders, failed records.
///
/// | trigger | span | `faas.trigger` | links |
/// |---|---|---|---|
/// | Amazon SQS | consumer, `process <queue>` | `pubsub` | `AWSTraceHeader`, and the message attribute `traceparent`, also of an SNS or EventBridge envelope |
/// | Amazon SNS | consumer, `process <topic>` | `pubsub` | the message attribute `traceparent` |
/// | DynamoDB Streams | consumer, `process <table>` | `datasource` | the new image's attribute `trace_context`, a `traceparent` |
/// | Kinesis Data Streams | consumer, `process <stream>` | `pubsub` | |
/// | Amazon S3 | consumer, `process <bucket>` | `datasource` | |
/// | EventBridge | consumer, `process <source>` | `pubsub`, or `timer` for a schedule | the detail's member `traceparent` |
/// | Cognito user pools | server, the trigger's name | `other` | |
/// | any other event | server, the function's name | `other` | |
///
/// A response with `batchItemFailures` sets `faas.batch.failures`, the number of records that Lambda will retry. The
/// span fails if all of them do. [`Spans::run_event`](crate::Spans::run_event) installs this layer.
///
/// ```no_run
/// use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
/// use lambda_spans::{EventLayer, Spans};
/// use serde_json::Value;
/// use tower::Layer;
///
/// # async fn main_() -> Result<(), Error> {
/// let spans = Spans::from_env()?;
/// let handler = service_fn(|event: LambdaEvent<Value>| async move { Ok::<_, Error>(event.payload) });
/// spans.start(Runtime::new(EventLayer.layer(handler))).await.run().await
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct EventLayer;

impl<S> Layer<S> for EventLayer {
    type Service = EventService<S>;

    fn layer(&self, inner: S) -> EventService<S> {
        inbound::inner_layer_built();
        EventService { inner }
    }
}

/// The service of [`EventLayer`].
#[derive(Clone, Debug)]
pub struct EventService<S> {
    inner: S,
}

impl<S, T, R> Service<LambdaEvent<T>> for EventService<S>
where
    S: Service<LambdaEvent<T>, Response = R>,
    S::Error: Debug + 'static,
    R: Serialize,
{
    type Response = R;
    type Error = S::Error;
    type Future = EventFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, event: LambdaEvent<T>) -> Self::Future {
        let (outcome, batch, handler) = start(|| self.inner.call(event));
        EventFuture { handler, outcome, batch }
    }
}

pin_project! {
    /// The future of [`EventService`].
    #[derive(Debug)]
    pub struct EventFuture<F> {
        #[pin]
        handler: F,
        outcome: HandlerOutcome,
        batch: Option<RecordBatch>,
    }
}

impl<F, R, E> Future for EventFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: Serialize,
    E: Debug + 'static,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.outcome.watch(|| this.handler.poll(context)));
        match &result {
            Ok(response) => succeeded(this.outcome, this.batch.as_ref(), response),
            Err(error) => this.outcome.failed_with(error),
        }
        Poll::Ready(result)
    }
}

/// [`EventService`] for an entry point, which knows that the handler's error becomes a `Diagnostic`.
#[derive(Clone, Debug)]
pub(crate) struct DiagnosedService<S> {
    inner: S,
}

impl<S> DiagnosedService<S> {
    pub(crate) fn new(inner: S) -> Self {
        inbound::inner_layer_built();
        Self { inner }
    }
}

impl<S, T, R> Service<LambdaEvent<T>> for DiagnosedService<S>
where
    S: Service<LambdaEvent<T>, Response = R>,
    S::Error: Debug + Into<Diagnostic> + 'static,
    R: Serialize,
{
    type Response = R;
    type Error = Diagnostic;
    type Future = DiagnosedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Diagnostic>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, event: LambdaEvent<T>) -> Self::Future {
        let (outcome, batch, handler) = start(|| self.inner.call(event));
        DiagnosedFuture { handler, outcome, batch }
    }
}

pin_project! {
    /// The future of [`DiagnosedService`].
    pub(crate) struct DiagnosedFuture<F> {
        #[pin]
        handler: F,
        outcome: HandlerOutcome,
        batch: Option<RecordBatch>,
    }
}

impl<F, R, E> Future for DiagnosedFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: Serialize,
    E: Debug + Into<Diagnostic> + 'static,
{
    type Output = Result<R, Diagnostic>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match ready!(this.outcome.watch(|| this.handler.poll(context))) {
            Ok(response) => {
                succeeded(this.outcome, this.batch.as_ref(), &response);
                Poll::Ready(Ok(response))
            }
            Err(error) => Poll::Ready(Err(this.outcome.failed_as(error))),
        }
    }
}

/// Describes the event on the invocation's span and calls the handler.
fn start<F>(call: impl FnOnce() -> F) -> (HandlerOutcome, Option<RecordBatch>, F) {
    let mut batch = None;
    let span = lookup::current().filter(|invocation| invocation.inbound().mark_reached()).map(|invocation| {
        let context = Context::current();
        let event = invocation.inbound().take_event();
        batch = event.and_then(|event| detect::trigger(&event).apply_to(&context));
        context
    });
    let mut outcome = HandlerOutcome::new(span);
    let handler = outcome.watch(call);
    (outcome, batch, handler)
}

fn succeeded(outcome: &mut HandlerOutcome, batch: Option<&RecordBatch>, response: &impl Serialize) {
    if let (Some(span), Some(batch)) = (outcome.complete(), batch) {
        batch.record_response(&span, response);
    }
}

#[cfg(test)]
mod tests;
