//! The inner layer: records the request and its response by the HTTP semantic conventions.
//!
//! In the outer layer, the response has already been sent and errors have become responses.

mod authority;
pub(crate) mod axum_router;
pub(crate) mod body;
pub(crate) mod event;
mod request;
pub(crate) mod response;
mod route;
pub(crate) mod stream;

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use axum::extract::MatchedPath;
use http::{Request, Response};
use http_body::Body;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::attributes::{ERROR_TYPE, HTTP_RESPONSE_BODY_SIZE, HTTP_RESPONSE_STATUS_CODE};
use crate::trace::inbound;
use crate::trace::lookup;
use crate::trace::outcome::HandlerOutcome;

/// A response extension that sets `error.type` on the request's span.
///
/// Use a low-cardinality word such as `conflict` or the name of a type, never a message.
///
/// ```
/// use axum::response::IntoResponse;
///
/// async fn create() -> impl IntoResponse {
///     (http::StatusCode::CONFLICT, axum::Extension(lambda_spans::ErrorType("handle_taken".into())))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ErrorType(pub Cow<'static, str>);

/// Records a request on its invocation's span: method, route, status, sizes and error.
///
/// [`Spans::run`](crate::Spans::run) and [`Spans::server`](crate::Spans::server) wrap the service, and each route of a
/// plain axum router, with this layer. If other services wrap the router, also pass it to `Router::layer`: only there
/// the matched route is known.
///
/// ```
/// use axum::{Router, routing::get};
/// use lambda_spans::HttpLayer;
///
/// let router: Router = Router::new()
///     .route("/items/{id}", get(|| async { "an item" }))
///     .layer(HttpLayer::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpLayer {
    client_address: bool,
    redacted_path: bool,
}

impl HttpLayer {
    /// Creates a layer that does not record the client's address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether to record the client's address as `client.address`. It is personal data in many jurisdictions.
    #[must_use]
    pub fn with_client_address(mut self, recorded: bool) -> Self {
        self.client_address = recorded;
        self
    }

    /// Redacts what callers write into paths. In `url.path`, `REDACTED` replaces the value of each route parameter, and
    /// the whole path if no route matches.
    ///
    /// Only for a layer that is passed to `Router::layer`, where the route is known.
    #[must_use]
    pub fn with_redacted_path(mut self) -> Self {
        self.redacted_path = true;
        self
    }
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> HttpService<S> {
        inbound::inner_layer_built();
        HttpService { inner, layer: *self, is_of_other_axum: axum_router::is_of_other_axum::<S>() }
    }
}

/// The service of [`HttpLayer`].
#[derive(Clone, Debug)]
pub struct HttpService<S> {
    inner: S,
    layer: HttpLayer,
    is_of_other_axum: bool,
}

impl<S, B, R> Service<Request<B>> for HttpService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Debug + 'static,
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
        if self.is_of_other_axum {
            // When the router is built, logging is often not installed yet.
            axum_router::warn();
        }
        let span = lookup::current().and_then(|invocation| {
            let context = Context::current();
            // The outermost layer records the request; a layer inside the router adds the route.
            let outermost = invocation.inbound().mark_reached();
            if outermost {
                // The adapter reads HTTP events, so the raw event is not needed any more.
                drop(invocation.inbound().take_event());
                request::describe(&context, &request, self.layer.client_address);
                invocation.inbound().accept_caller(&context, invocation.trace_id(), request.headers());
            }
            let matched = request.extensions().get::<MatchedPath>();
            if self.layer.redacted_path {
                route::redact(&context, matched.map(MatchedPath::as_str), &request);
            }
            if let Some(matched) = matched {
                route::record(&context, request.method(), route::without_stage(matched.as_str(), &request));
            } else if outermost {
                record_route_of_event(&context, &request);
            }
            outermost.then_some(context)
        });
        let mut outcome = HandlerOutcome::new(span);
        let handler = outcome.watch(|| self.inner.call(request));
        HttpFuture { handler, outcome }
    }
}

/// Records the route that API Gateway matched.
fn record_route_of_event<B>(context: &Context, request: &Request<B>) {
    if let Some(route) = route::matched_by_gateway(request.extensions()) {
        route::record(context, request.method(), route);
    } else if let Some(route) = route::web_socket_route(request.extensions()) {
        route::record_web_socket(context, route);
    }
}

fn record_response<R: Body>(context: &Context, response: &Response<R>) {
    let span = context.span();
    let status = response.status();
    span.set_attribute(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
    if let Some(size) = response.body().size_hint().exact().and_then(|size| i64::try_from(size).ok()) {
        span.set_attribute(KeyValue::new(HTTP_RESPONSE_BODY_SIZE, size));
    }
    let error_type = response.extensions().get::<ErrorType>();
    if let Some(ErrorType(error_type)) = error_type {
        span.set_attribute(KeyValue::new(ERROR_TYPE, error_type.clone()));
    }
    // A 4xx status is not an error of the server.
    if status.is_server_error() {
        span.set_status(Status::error(""));
        if error_type.is_none() {
            span.set_attribute(KeyValue::new(ERROR_TYPE, status.as_str().to_owned()));
        }
    }
}

pin_project! {
    /// The future of [`HttpService`].
    #[derive(Debug)]
    pub struct HttpFuture<F> {
        #[pin]
        handler: F,
        outcome: HandlerOutcome,
    }
}

impl<F, R, E> Future for HttpFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: Debug + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.outcome.watch(|| this.handler.poll(context)));
        match &result {
            Ok(response) => {
                if let Some(span) = this.outcome.complete() {
                    record_response(&span, response);
                }
            }
            Err(error) => this.outcome.failed_with(error),
        }
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod fixtures;
