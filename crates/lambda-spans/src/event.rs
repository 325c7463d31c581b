//! The inner layer of a function that is not HTTP: what its handler's failure was.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Tells an invocation's span that its handler has failed, which the outer layer cannot see.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventLayer;

impl<S> Layer<S> for EventLayer {
    type Service = EventService<S>;

    fn layer(&self, inner: S) -> EventService<S> {
        EventService { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct EventService<S> {
    inner: S,
}

impl<S, E> Service<E> for EventService<S>
where
    S: Service<E>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = EventFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, event: E) -> Self::Future {
        EventFuture {
            handler: self.inner.call(event),
            open: Open { context: Some(Context::current()), polling: false },
        }
    }
}

#[derive(Debug)]
struct Open {
    context: Option<Context>,
    /// Still set after a poll: it did not return.
    polling: bool,
}

impl Open {
    fn failed(&mut self, error_type: &'static str) {
        if let Some(context) = self.context.take() {
            context.span().set_status(Status::error(""));
            context.span().set_attribute(KeyValue::new("error.type", error_type));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.failed(if self.polling { "panic" } else { "cancelled" });
    }
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct EventFuture<F> {
        #[pin]
        handler: F,
        open: Open,
    }
}

impl<F, R, E> Future for EventFuture<F>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.open.polling = true;
        let result = this.handler.poll(context);
        this.open.polling = false;
        let result = ready!(result);
        match &result {
            Ok(_) => this.open.context = None,
            Err(_) => this.open.failed("handler_error"),
        }
        Poll::Ready(result)
    }
}
