//! A long-running server: the same spans, exported in the background.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use axum::Router;
use http::{Request, Response};
use opentelemetry::trace::{TraceContextExt as _, TraceId};
use tower::{Layer, Service};
use tracing::{Instrument as _, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::spans::Spans;
use crate::clock::Moment;
use crate::export::pipeline::Pipeline;
use crate::http::HttpLayer;
use crate::propagation::trace_header::TraceHeader;
use crate::trace::inbound::Inbound;
use crate::trace::invocation::{Invocation, new_trace_id};
use crate::trace::running::InvocationRunning;

#[derive(Clone, Debug)]
struct ServerLayer {
    spans: Spans,
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> ServerService<S> {
        ServerService { inner, spans: self.spans.clone() }
    }
}

#[derive(Clone, Debug)]
struct ServerService<S> {
    inner: S,
    spans: Spans,
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.spans.enabled {
            return Box::pin(self.inner.call(request));
        }
        let span = info_span!(parent: None, "request", otel.kind = "server");
        let adopts = self.spans.adopts_trace_ids;
        let adopted = adopts.then(|| TraceHeader::adopted_root(request.headers(), Moment::now().wall())).flatten();
        // Created here, because the future may be dropped before it is polled.
        let open = OpenRequest::new(&self.spans, &span, adopted);
        let handler = span.in_scope(|| self.inner.call(request)).instrument(span);
        Box::pin(async move {
            let response = handler.await;
            drop(open);
            response
        })
    }
}

impl Spans {
    /// Wraps the router of a long-running server: one trace per request, exported in the background.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// ```no_run
    /// use axum::{Router, routing::get};
    /// use lambda_spans::{Settings, Spans};
    ///
    /// # async fn main_() -> Result<(), lambda_runtime::Error> {
    /// let settings = Settings::from_env().with_terminal().with_default_service_name("items");
    /// let router = Spans::install(settings)?.server(Router::new().route("/", get(|| async { "hello" })));
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:4567").await?;
    /// axum::serve(listener, router).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn server(&self, router: Router) -> Router {
        self.warn_of_missing_roots();
        self.pipeline.clone().export_in_background(self.budget);
        router
            .layer(HttpLayer::new().with_client_address(self.client_address))
            .layer(ServerLayer { spans: self.clone() })
    }

    /// Runs work of a long-running process that is not a request, such as a batch from a queue, as its own trace.
    /// `span` is the root: created with `parent: None` and not entered yet.
    ///
    /// It is exported like the requests of [`Spans::server`]. If that function is called later, the trace waits for it.
    pub async fn trace<F: Future>(&self, span: tracing::Span, work: F) -> F::Output {
        if !self.enabled {
            return work.await;
        }
        let open = OpenRequest::new(self, &span, None);
        let output = work.instrument(span).await;
        drop(open);
        output
    }
}

/// A request under way. It ends also when its client goes away and the handler is dropped.
struct OpenRequest {
    invocation: Invocation,
    pipeline: Arc<Pipeline>,
    root: opentelemetry::Context,
    _running: InvocationRunning,
}

impl OpenRequest {
    /// Makes `span` the root of this process in an adopted or a new trace.
    fn new(spans: &Spans, span: &tracing::Span, adopted: Option<TraceId>) -> Self {
        let (trace_id, inbound) = (adopted.unwrap_or_else(new_trace_id), Inbound::new(spans.context));
        // A server has no request id other than the trace id.
        let invocation = Invocation::root(trace_id, trace_id.to_string(), spans.pipeline.outbox.clone(), inbound);
        // Fails only for a span that is not recorded.
        span.set_parent(invocation.context()).ok();
        let (root, running) = (span.context(), InvocationRunning::start(&spans.running, &invocation));
        Self { invocation, pipeline: spans.pipeline.clone(), root, _running: running }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.root.span().end();
        self.invocation.close(&self.pipeline.sampler);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::run::settings::Settings;

    #[tokio::test]
    async fn recent_root_of_a_request_is_adopted_if_set() {
        let now = Moment::now().wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let (recent, old) =
            (format!("{now:08x}bd862e3fe1be46a994272793"), "5759e988bd862e3fe1be46a994272793".to_owned());
        for (adopts, sent, adopted) in [(true, &recent, true), (true, &old, false), (false, &recent, false)] {
            let settings = Settings::from_lookup(|_| None);
            let spans = Spans::new(&if adopts { settings.with_adopted_trace_ids() } else { settings });
            let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
            let trace_id = || async { crate::trace_id().unwrap_or_default() };
            let router = spans.server(Router::new().route("/", axum::routing::get(trace_id)));
            let header = format!("Root=1-{}-{}", &sent[..8], &sent[8..]);
            let request = Request::get("/").header("x-amzn-trace-id", header).body(axum::body::Body::empty()).unwrap();
            let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!((body.len(), body == sent.as_bytes()), (32, adopted), "{adopts} {sent}");
        }
    }

    #[tokio::test]
    async fn background_work_is_a_separate_trace_each_time() {
        let spans = Spans::new(&Settings::from_lookup(|_| None));
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
        let mut traces = Vec::new();
        for _ in 0..2 {
            let work = async {
                info_span!("inside").in_scope(|| ());
                crate::trace_id()
            };
            traces.push(spans.trace(info_span!(parent: None, "work"), work).await.expect("within a trace"));
        }
        traces.dedup();
        assert_eq!(traces.len(), 2);
        assert_eq!(crate::trace_id(), None);
        assert_eq!(spans.ledger().created, 4);
    }
}
