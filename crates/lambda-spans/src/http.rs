//! The inner layer: the request and its response, in the terms of the HTTP semantic conventions.
//!
//! Where Lambda's own layer stands, the response is already sent and an error is already an answer.

mod body;
mod request;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use axum::extract::MatchedPath;
use http::{Method, Request, Response};
use http_body::Body;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::invocation::Invocation;

pub(crate) use body::SyncBody;

/// A response extension: what failed, as `error.type` on the request's span.
///
/// A low-cardinality word such as `conflict` or a type's name, never a message.
#[derive(Clone, Debug)]
pub struct ErrorType(pub Cow<'static, str>);

/// Describes a request on its invocation's span: method, route, status, sizes, and what failed.
///
/// [`Spans::run`](crate::Spans::run) and [`Spans::server`](crate::Spans::server) put it around the whole
/// service. Where something stands between them and an axum router, give it to `Router::layer` as well:
/// there it knows the route that matched.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpLayer;

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> HttpService<S> {
        HttpService { inner }
    }
}

/// The service of [`HttpLayer`].
#[derive(Clone, Debug)]
pub struct HttpService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for HttpService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
    R: Body,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HttpFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = Invocation::current().and_then(|invocation| {
            let context = Context::current();
            // The outermost layer describes the request; one inside of the router adds the route.
            let outermost = invocation.claim_http();
            if outermost {
                request::describe(&context, &request);
            }
            if let Some(route) = request.extensions().get::<MatchedPath>() {
                record_route(&context, request.method(), route.as_str());
            }
            outermost.then_some(context)
        });
        HttpFuture { handler: self.inner.call(request), open: Open { context: span, polling: false } }
    }
}

fn record_route(context: &Context, method: &Method, route: &str) {
    let span = context.span();
    span.set_attribute(KeyValue::new("http.route", route.to_owned()));
    span.update_name(format!("{method} {route}"));
}

/// The context whose span the response is told to. Taken when the handler has answered.
#[derive(Debug)]
struct Open {
    context: Option<Context>,
    /// Still set after a poll: it did not return.
    polling: bool,
}

impl Open {
    fn answered<R: Body>(&mut self, response: &Response<R>) {
        let Some(context) = self.context.take() else { return };
        let span = context.span();
        let status = response.status();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if let Some(size) = response.body().size_hint().exact().and_then(|size| i64::try_from(size).ok()) {
            span.set_attribute(KeyValue::new("http.response.body.size", size));
        }
        let error_type = response.extensions().get::<ErrorType>();
        if let Some(ErrorType(error_type)) = error_type {
            span.set_attribute(KeyValue::new("error.type", error_type.clone()));
        }
        // A client's mistake is no error of the server's.
        if status.is_server_error() {
            span.set_status(Status::error(""));
            if error_type.is_none() {
                span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            }
        }
    }

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
    /// The future of [`HttpService`].
    #[derive(Debug)]
    pub struct HttpFuture<F> {
        #[pin]
        handler: F,
        open: Open,
    }
}

impl<F, R, E> Future for HttpFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.open.polling = true;
        let result = this.handler.poll(context);
        this.open.polling = false;
        let result = ready!(result);
        match &result {
            Ok(response) => this.open.answered(response),
            Err(_) => this.open.failed("handler_error"),
        }
        Poll::Ready(result)
    }
}
