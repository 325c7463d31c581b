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
mod http_event;
mod json_scan;
mod kafka;
mod kinesis;
mod rabbitmq;
mod s3;
pub(crate) mod sender;
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
/// | Amazon SNS | consumer, `process <topic>` | `pubsub` | the message attribute `traceparent` or `X-Amzn-Trace-Id` |
/// | Amazon MSK and self-managed Kafka | consumer, `process <topic>` | `pubsub` | the header `traceparent` or `X-Amzn-Trace-Id` |
/// | Amazon MQ: ActiveMQ, RabbitMQ | consumer, `process <queue>` | `pubsub` | the property or header `traceparent` or `X-Amzn-Trace-Id` |
/// | Kinesis Data Streams | consumer, `process <stream>` | `pubsub` | the member `traceparent` of JSON data |
/// | DynamoDB Streams | consumer, `process <table>` | `datasource` | the new image's attribute `trace_context`, a `traceparent` or an X-Ray header |
/// | Amazon DocumentDB | consumer, `process <database>.<collection>` | `datasource` | |
/// | Amazon S3 | consumer, `process <bucket>` | `datasource` | |
/// | EventBridge | consumer, `process <source>` | `pubsub` | the detail's member `traceparent` |
/// | a schedule of EventBridge or its Scheduler | consumer, `process <schedule>` | `timer` | |
/// | EventBridge Pipes | that of the pipe's source | | those of the source |
/// | API Gateway WebSocket API | server, the route, such as `$connect` | `http` | |
/// | API Gateway, function URL, load balancer, VPC Lattice | server, the function's name; see [`HttpLayer`](crate::HttpLayer) | `http` | |
/// | Cognito user pools | server, the trigger's name | `other` | |
/// | durable execution | server, the function's name, with `aws.lambda.durable_execution.arn` | `other` | |
/// | any other event, such as that of an authorizer or a destination | server, the function's name | `other` | |
///
/// A batch of several queues, topics or buckets is named `process multiple_sources`. An event is recognized by several of
/// its members, so an object of your own may share one of them.
///
/// A response with `batchItemFailures` sets `faas.batch.failures`, the number of records that Lambda will retry. The
/// span fails if all of them do. [`Spans::run_event`](crate::Spans::run_event) installs this layer.
///
/// # Which semantic conventions apply
/// The conventions for messaging, FaaS and AWS Lambda disagree in these points:
/// - **Name.** The text for AWS Lambda says `<queue> process`, and its example says `process <queue>`. The name is
///   `process <queue>`, as the messaging conventions require for every system.
/// - **Kind.** FaaS recommends `SERVER` for `datasource` and `timer`. The kind is `CONSUMER`, because no caller waits for
///   the result: the trace specification reserves `SERVER` for a caller that waits.
/// - **Number of spans.** FaaS requires one root span for each message, and AWS Lambda a span of the batch below a
///   `SERVER` span. The invocation has one span, that of the batch, with a link for each message. A function can open a
///   span for each record.
/// - **`messaging.batch.message_count`.** The messaging conventions omit it for single messages. It is present for every
///   batch of records, also for a batch of one and for streams of DynamoDB and DocumentDB.
/// - **Links.** AWS Lambda allows only `AWSTraceHeader` for SQS. A message attribute `traceparent` is a link too, because
///   OpenTelemetry's instrumentations for other languages send it.
/// - **`faas.document.collection`** is the database of DocumentDB, as FaaS defines for Cosmos DB. `faas.document.name` is
///   the collection.
/// - **WebSocket routes.** AWS Lambda wants the route as `http.route`, and the HTTP conventions want a path there. A route
///   such as `$connect` is not a path, so it is `aws.api_gateway.route_key` and the span's name.
///
/// # `error.type`
/// The first of these that applies:
/// 1. the `error_type` of the handler's error if it is a [`Diagnostic`]. [`Spans::run_event`](crate::Spans::run_event)
///    also converts the error and uses the `error_type` of your own `From<YourError> for Diagnostic`. In your own
///    `Runtime`, call `map_err(Diagnostic::from)` of [`tower::ServiceExt`] inside this layer.
/// 2. the name that a registered [`TypedError`](crate::TypedError) gives, and `timeout` for the `Elapsed` of a timeout of
///    tower or tokio. In a box, these are searched from the error to its sources.
/// 3. the error's type, or `handler_error` for a box.
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
        poll(this.handler, context, this.outcome, this.batch.as_ref(), |outcome, error| {
            outcome.failed_with(&error);
            error
        })
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
        poll(this.handler, context, this.outcome, this.batch.as_ref(), HandlerOutcome::failed_as)
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

/// Polls the handler, and describes its result on the invocation's span. `failed` records and returns an error.
fn poll<F, R, E, X>(
    handler: Pin<&mut F>,
    context: &mut TaskContext<'_>,
    outcome: &mut HandlerOutcome,
    batch: Option<&RecordBatch>,
    failed: impl FnOnce(&mut HandlerOutcome, E) -> X,
) -> Poll<Result<R, X>>
where
    F: Future<Output = Result<R, E>>,
    R: Serialize,
{
    Poll::Ready(match ready!(outcome.watch(|| handler.poll(context))) {
        Ok(response) => {
            if let (Some(span), Some(batch)) = (outcome.complete(), batch) {
                batch.record_response(&span, &response);
            }
            Ok(response)
        }
        Err(error) => Err(failed(outcome, error)),
    })
}

#[cfg(test)]
mod tests;
