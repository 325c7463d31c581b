//! A streamed HTTP response: its body is still being produced while the runtime sends it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use bytes::Buf as _;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::Context;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Span;

use crate::trace::lookup;
use crate::trace::streamed::Streamed;

/// Extends the invocation's span over a streamed response. Place it outside of [`HttpLayer`](crate::HttpLayer).
///
/// Spans that start while the body streams are children of the invocation's span. That span records the time to the
/// first byte (`http.response.time_to_first_byte_ms`), the number of bytes, and whether the stream failed.
/// [`Spans::run_streaming`](crate::Spans::run_streaming) installs this layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamLayer;

impl<S> Layer<S> for StreamLayer {
    type Service = StreamService<S>;

    fn layer(&self, inner: S) -> StreamService<S> {
        StreamService { inner }
    }
}

/// The service of [`StreamLayer`].
#[derive(Clone, Debug)]
pub struct StreamService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for StreamService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = StreamFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let invocation = lookup::current().map(|_| (Span::current(), Context::current()));
        let started = Instant::now();
        StreamFuture { handler: self.inner.call(request), invocation, started }
    }
}

pin_project! {
    /// The future of [`StreamService`].
    #[derive(Debug)]
    pub struct StreamFuture<F> {
        #[pin]
        handler: F,
        invocation: Option<(Span, Context)>,
        started: Instant,
    }
}

impl<F, R, E> Future for StreamFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<TracedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.handler.poll(context));
        let streamed = Streamed::new(this.invocation.take(), *this.started);
        Poll::Ready(result.map(|response| response.map(|body| TracedBody { body, streamed })))
    }
}

/// The body of a streamed response, inside its invocation's span.
#[derive(Debug)]
pub struct TracedBody<B> {
    body: B,
    streamed: Streamed,
}

impl<B> Body for TracedBody<B>
where
    B: Body + Unpin,
    B::Error: Debug + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Self { body, streamed } = self.get_mut();
        let frame = ready!(streamed.poll(|| Pin::new(&mut *body).poll_frame(context)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    streamed.sent(data.remaining());
                }
                // A body that reports its end is not polled again.
                if body.is_end_stream() {
                    streamed.ended();
                }
            }
            Some(Err(error)) => streamed.failed_with(error),
            None => streamed.ended(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
