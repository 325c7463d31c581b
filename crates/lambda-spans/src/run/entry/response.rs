//! Responses of event handlers, which the runtime sends at once or as a stream.

use std::fmt::Debug;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use futures_util::Stream;
use lambda_runtime::{Error, FunctionResponse, IntoFunctionResponse, LambdaEvent, StreamResponse};
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use serde::{Serialize, Serializer};
use tower::Service;
use tracing::Span;

use crate::attributes::{ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE};
use crate::trace::lookup;
use crate::trace::streamed::Streamed;

/// Converts the responses of a handler, so that [`EventLayer`](crate::EventLayer) accepts each type that the runtime
/// accepts.
pub(super) struct Responding<F, B, S> {
    handler: F,
    responses: PhantomData<fn() -> (B, S)>,
}

impl<F, B, S> Responding<F, B, S> {
    pub(super) fn new(handler: F) -> Self {
        Self { handler, responses: PhantomData }
    }
}

impl<F: Clone, B, S> Clone for Responding<F, B, S> {
    fn clone(&self) -> Self {
        Self::new(self.handler.clone())
    }
}

impl<A, F, R, B, S, D, E> Service<LambdaEvent<A>> for Responding<F, B, S>
where
    F: Service<LambdaEvent<A>, Response = R>,
    R: IntoFunctionResponse<B, S>,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    type Response = Response<B, TracedStream<S>>;
    type Error = F::Error;
    type Future = RespondingFuture<F::Future, B, S>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), F::Error>> {
        self.handler.poll_ready(context)
    }

    fn call(&mut self, event: LambdaEvent<A>) -> Self::Future {
        RespondingFuture { handler: self.handler.call(event), started: Instant::now(), responses: PhantomData }
    }
}

pin_project! {
    /// The future of [`Responding`].
    pub(super) struct RespondingFuture<F, B, S> {
        #[pin]
        handler: F,
        started: Instant,
        responses: PhantomData<fn() -> (B, S)>,
    }
}

impl<F, R, B, S, X> Future for RespondingFuture<F, B, S>
where
    F: Future<Output = Result<R, X>>,
    R: IntoFunctionResponse<B, S>,
{
    type Output = Result<Response<B, TracedStream<S>>, X>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.handler.poll(context));
        Poll::Ready(response.map(|response| {
            Response(match response.into_response() {
                FunctionResponse::BufferedResponse(body) => FunctionResponse::BufferedResponse(body),
                FunctionResponse::StreamingResponse(response) => {
                    FunctionResponse::StreamingResponse(traced(response, *this.started))
                }
            })
        }))
    }
}

/// A response whose serialized form is that of its buffered body.
pub(super) struct Response<B, S>(pub(super) FunctionResponse<B, S>);

impl<B: Serialize, S> Serialize for Response<B, S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        match &self.0 {
            FunctionResponse::BufferedResponse(body) => body.serialize(serializer),
            FunctionResponse::StreamingResponse(_) => serializer.serialize_unit(),
        }
    }
}

/// Records the status of a streamed response, and extends the invocation's span over the stream.
fn traced<S>(response: StreamResponse<S>, started: Instant) -> StreamResponse<TracedStream<S>> {
    let StreamResponse { metadata_prelude, stream } = response;
    let invocation = lookup::current().map(|_| (Span::current(), Context::current()));
    if let Some((_, context)) = &invocation {
        let (span, status) = (context.span(), metadata_prelude.status_code);
        span.set_attribute(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_status(Status::error(""));
            span.set_attribute(KeyValue::new(ERROR_TYPE, status.as_str().to_owned()));
        }
    }
    let stream = TracedStream { stream, streamed: Streamed::new(invocation, started) };
    StreamResponse { metadata_prelude, stream }
}

/// The stream of a response, inside its invocation's span.
pub(super) struct TracedStream<S> {
    stream: S,
    streamed: Streamed,
}

impl<S, D, E> Stream for TracedStream<S>
where
    S: Stream<Item = Result<D, E>> + Unpin,
    D: Into<Bytes>,
    E: Into<Error>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let Self { stream, streamed } = self.get_mut();
        let item = ready!(streamed.poll(|| Pin::new(stream).poll_next(context)));
        Poll::Ready(match item {
            Some(Ok(chunk)) => {
                let chunk = chunk.into();
                streamed.sent(chunk.len());
                Some(Ok(chunk))
            }
            Some(Err(error)) => {
                let error = error.into();
                streamed.failed_with(&error);
                Some(Err(error))
            }
            None => {
                streamed.ended();
                None
            }
        })
    }
}
