//! The inner layer of functions that are not behind HTTP: what invoked them, and how each batch went.

mod batch;
mod cognito;
mod dynamodb;
mod event;
mod eventbridge;
mod kinesis;
mod s3;
mod skim;
mod sns;
mod sqs;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use lambda_runtime::LambdaEvent;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use serde::Serialize;
use tower::{Layer, Service};

use crate::inbound;
use crate::invocation::Invocation;
use crate::outcome::Outcome;
use batch::Batch;

/// The most records whose context becomes a link; each is billed as an event of its own in some places.
const MAX_LINKS: usize = 128;

/// Changes the kind of a span that has begun; never an attribute.
pub(crate) const KIND: &str = "otel.kind";

/// Describes an invocation by its event: name, kind, `faas.trigger`, links to what caused it, failed records.
///
/// | trigger | span | `faas.trigger` | links |
/// |---|---|---|---|
/// | Amazon SQS | consumer, `process <queue>` | `pubsub` | `AWSTraceHeader`, or the message attribute `traceparent` |
/// | Amazon SNS | consumer, `process <topic>` | `pubsub` | the message attribute `traceparent` |
/// | DynamoDB Streams | consumer, `process <table>` | `datasource` | the new image's attribute `trace_context`, a `traceparent` |
/// | Kinesis Data Streams | consumer, `process <stream>` | `pubsub` | |
/// | Amazon S3 | consumer, `process <bucket>` | `datasource` | |
/// | EventBridge | consumer, `process <source>` | `pubsub`, or `timer` for a schedule | |
/// | Cognito user pools | server, the trigger's name | `other` | |
/// | any other event | server, the function's name | `other` | |
///
/// A response with `batchItemFailures` gives `faas.batch.failures`, the number of records that come again; the
/// span fails when all do. [`Spans::run_event`](crate::Spans::run_event) has the layer in place.
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
/// Runtime::new(EventLayer.layer(handler)).layer(spans.lambda_layer()).run().await
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
    R: Serialize,
{
    type Response = R;
    type Error = S::Error;
    type Future = EventFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, event: LambdaEvent<T>) -> Self::Future {
        let mut batch = None;
        let span = Invocation::current().filter(|invocation| invocation.inbound().reach()).map(|invocation| {
            let context = Context::current();
            let event = invocation.inbound().take_event();
            batch = event.and_then(|event| Trigger::of(&event).describe(&context));
            context
        });
        let mut outcome = Outcome::of(span);
        let handler = outcome.watch(|| self.inner.call(event));
        EventFuture { handler, outcome, batch }
    }
}

pin_project! {
    /// The future of [`EventService`].
    #[derive(Debug)]
    pub struct EventFuture<F> {
        #[pin]
        handler: F,
        outcome: Outcome,
        batch: Option<Batch>,
    }
}

impl<F, R, E> Future for EventFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: Serialize,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.outcome.watch(|| this.handler.poll(context)));
        match &result {
            Ok(response) => {
                if let (Some(span), Some(batch)) = (this.outcome.settle(), this.batch) {
                    batch.answered(&span, response);
                }
            }
            Err(error) => this.outcome.failed_with(error),
        }
        Poll::Ready(result)
    }
}

/// What invoked the function.
#[derive(Debug, Default)]
struct Trigger {
    /// `None`: the function's own.
    name: Option<String>,
    consumer: bool,
    attributes: Vec<KeyValue>,
    links: Vec<SpanContext>,
    batch: Option<Batch>,
}

impl Trigger {
    fn of(event: &[u8]) -> Self {
        event::read(event).unwrap_or_else(|| Self::faas("other"))
    }

    fn faas(trigger: &'static str) -> Self {
        Self { attributes: vec![KeyValue::new("faas.trigger", trigger)], ..Self::default() }
    }

    fn consumer(trigger: &'static str, source: &str) -> Self {
        Self { name: Some(format!("process {source}")), consumer: true, ..Self::faas(trigger) }
    }

    /// A batch of messages from the queues or topics that `destinations` name.
    fn messages<'a>(system: &'static str, destinations: impl Iterator<Item = &'a str>, batch: Batch) -> Self {
        let mut names: Vec<&str> = destinations.map(event::last_of_arn).collect();
        names.sort_unstable();
        names.dedup();
        let only = if let [only] = names.as_slice() { Some(*only) } else { None };
        let mut trigger = Self::consumer("pubsub", only.unwrap_or("multiple_sources"));
        trigger.set("messaging.system", system);
        trigger.set("messaging.operation.name", "process");
        trigger.set("messaging.operation.type", "process");
        if let Some(only) = only {
            trigger.set("messaging.destination.name", only.to_owned());
        }
        trigger.with_batch(batch)
    }

    fn with_batch(mut self, batch: Batch) -> Self {
        self.set("messaging.batch.message_count", batch.len());
        self.batch = Some(batch);
        self
    }

    fn set(&mut self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    fn link_to(mut self, records: impl Iterator<Item = SpanContext>) -> Self {
        self.links.extend(records.take(MAX_LINKS));
        self
    }

    fn describe(self, context: &Context) -> Option<Batch> {
        let span = context.span();
        if let Some(name) = self.name {
            span.update_name(name);
        }
        if self.consumer {
            span.set_attribute(KeyValue::new(KIND, "consumer"));
        }
        span.set_attributes(self.attributes);
        self.links.into_iter().for_each(|link| span.add_link(link, Vec::new()));
        self.batch
    }
}

#[cfg(test)]
mod tests;
