//! Client spans of outgoing HTTP requests.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use http::{Request, Response, Uri};
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::endpoint::server;
use super::inject::inject_context;
use crate::attributes::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_RESPONSE_STATUS_CODE, LAMBDA_SPANS_CANCELLED,
    SERVER_ADDRESS, SERVER_PORT, URL_FULL,
};
use crate::trace::error_type::is_elapsed;
use crate::trace::exception::Exception;
use crate::trace::http_method::method_name;
use crate::trace::size::beginning;

/// The maximum length of a method in an attribute, in bytes.
const MAX_METHOD: usize = 32;
/// The maximum length of a URL in an attribute, in bytes.
const MAX_URL: usize = 2048;

type BoxError = Box<dyn Error + Send + Sync>;

/// Records each request of an HTTP client as a client span, and adds the trace context to its headers.
///
/// The span is named after the method. It records method, URL, host, port and status. The URL contains no query, no
/// fragment and no credentials. A status of 400 or above and an error of the client fail the span. Its `error.type` is
/// the status, `timeout`, or the type of the error. A call that is dropped before its response has
/// `lambda_spans.cancelled`. In X-Ray, the host is a remote node. The span ends with the headers of the response.
///
/// The headers are those of [`inject`](crate::inject). Below a layer that retries, each attempt is a span.
///
/// ```
/// use http::{Request, Response};
/// use lambda_spans::ClientLayer;
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # async fn example() -> Result<(), std::io::Error> {
/// // Any service of HTTP requests, such as a client of hyper-util.
/// let client = service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new("a body")));
/// let mut client = ClientLayer.layer(client);
///
/// let request = Request::get("https://example.com/items/7").body(String::new()).expect("a valid URL");
/// let response = client.ready().await?.call(request).await?;
/// # Ok(())
/// # }
/// ```
///
/// # reqwest
///
/// A client of [`reqwest`](https://docs.rs/reqwest) becomes such a service:
///
/// ```rs
/// use lambda_spans::ClientLayer;
/// use reqwest::{Body, Client, Request};
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
///
/// let inner = Client::new();
/// let client = ClientLayer.layer(service_fn(move |request: http::Request<Body>| {
///     let inner = inner.clone();
///     async move { Ok::<_, BoxError>(http::Response::from(inner.execute(Request::try_from(request)?).await?)) }
/// }));
///
/// let request = http::Request::get("https://example.com/items/7").body(Body::default())?;
/// let response = reqwest::Response::from(client.clone().oneshot(request).await?);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientLayer;

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        ClientService { inner }
    }
}

/// The service of [`ClientLayer`].
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Debug + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let method = method_name(request.method());
        let span = info_span!("http-client", otel.name = span_name(method), otel.kind = "client");
        let context = Some(span.context()).filter(|context| context.span().span_context().is_valid());
        // A span that is filtered out does not interrupt the trace.
        inject_context(context.as_ref().unwrap_or(&Context::current()), request.headers_mut());
        let call = ClientCall { context, span };
        call.describe(&request, method);
        let inner = call.span.in_scope(|| self.inner.call(request));
        ClientFuture { inner, call }
    }
}

fn span_name(method: &'static str) -> &'static str {
    if method == "_OTHER" { "HTTP" } else { method }
}

/// A request in progress.
#[derive(Debug)]
struct ClientCall {
    /// The context of the span; `None` once the span has ended, or if it is filtered out.
    context: Option<Context>,
    span: Span,
}

impl ClientCall {
    fn set(&self, attribute: KeyValue) {
        if let Some(context) = &self.context {
            context.span().set_attribute(attribute);
        }
    }

    fn describe<B>(&self, request: &Request<B>, method: &'static str) {
        if self.context.is_none() {
            return;
        }
        self.set(KeyValue::new(HTTP_REQUEST_METHOD, method));
        if method == "_OTHER" {
            let original = request.method().as_str();
            self.set(KeyValue::new(HTTP_REQUEST_METHOD_ORIGINAL, beginning(original, MAX_METHOD).to_owned()));
        }
        if let Some((host, port)) = server(request.uri()) {
            self.set(KeyValue::new(SERVER_ADDRESS, host));
            self.set(KeyValue::new(SERVER_PORT, i64::from(port)));
        }
        if let Some(url) = url(request.uri()) {
            self.set(KeyValue::new(URL_FULL, beginning(&url, MAX_URL).to_owned()));
        }
    }

    fn failed(&self, error_type: Cow<'static, str>) {
        self.set(KeyValue::new(ERROR_TYPE, error_type));
        if let Some(context) = &self.context {
            context.span().set_status(Status::error(""));
        }
    }

    fn end(&mut self) {
        if let Some(context) = self.context.take() {
            context.span().end();
        }
    }
}

impl Drop for ClientCall {
    fn drop(&mut self) {
        // The caller gave up. The server did not fail.
        self.set(KeyValue::new(LAMBDA_SPANS_CANCELLED, true));
        self.end();
    }
}

/// Returns the URL without query and credentials. A request has no fragment.
fn url(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?.as_str();
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    Some(format!("{}://{server}{}", uri.scheme_str()?, uri.path()))
}

pin_project! {
    /// The future of [`ClientService`].
    #[derive(Debug)]
    pub struct ClientFuture<F> {
        #[pin]
        inner: F,
        call: ClientCall,
    }
}

impl<F, R, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Debug + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.call.span.in_scope(|| this.inner.poll(context)));
        match &result {
            Ok(response) => {
                let status = response.status();
                this.call.set(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
                if status.is_client_error() || status.is_server_error() {
                    this.call.failed(status.as_str().to_owned().into());
                }
            }
            Err(error) => this.call.failed(error_type(error)),
        }
        this.call.end();
        Poll::Ready(result)
    }
}

/// Returns `timeout`, or the type of the error. A message may quote values and is ignored.
fn error_type<E: Debug + 'static>(typed: &E) -> Cow<'static, str> {
    let error: &dyn Any = typed;
    if let Some(boxed) = error.downcast_ref::<BoxError>() {
        if chain(&**boxed).any(is_timeout) {
            return Cow::Borrowed("timeout");
        }
        // The outermost error that has a name.
        let mut kinds = chain(&**boxed).map(|error| Exception::from_error(error).into_kind());
        return kinds.find(|kind| kind != "_OTHER").unwrap_or(Cow::Borrowed("_OTHER"));
    }
    let is_timeout = match error.downcast_ref::<io::Error>() {
        Some(error) => chain(error).any(is_timeout),
        None => is_timeout_text(typed),
    };
    Cow::Borrowed(if is_timeout { "timeout" } else { type_name::<E>() })
}

/// Returns an error and its sources. An I/O error hides the error that it contains.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.kind() == io::ErrorKind::TimedOut,
        None => is_timeout_text(&error),
    }
}

/// Recognizes the timeouts of tower, tokio and reqwest, whose types cannot all be named.
fn is_timeout_text(error: &dyn Debug) -> bool {
    is_elapsed(error) || format!("{error:?}") == "TimedOut"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_has_no_query_and_no_credentials() {
        let of = |uri: &str| url(&uri.parse().unwrap());
        assert_eq!(of("https://a:b@shop.example/items?x=1").as_deref(), Some("https://shop.example/items"));
        assert_eq!(of("http://[::1]:8080?x").as_deref(), Some("http://[::1]:8080/"));
        assert_eq!(of("/items"), None);
    }

    #[test]
    fn error_is_named_after_its_type() {
        let boxed = |error: io::Error| -> BoxError { error.into() };
        let elapsed = io::Error::other(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(error_type(&boxed(elapsed)), "timeout");
        assert_eq!(error_type(&io::Error::from(io::ErrorKind::TimedOut)), "timeout");
        assert_eq!(error_type(&boxed(io::Error::other("canary"))), "std::io::Error");
        assert_eq!(error_type(&BoxError::from("Canary")), "_OTHER");
        assert_eq!(error_type(&std::fmt::Error), "core::fmt::Error");
        assert_eq!(error_type(&BoxError::from(std::fmt::Error)), "Error");
    }
}
