//! The outer layer: one invocation as Lambda sees it.
//!
//! Inside this layer's service, the runtime posts the response; after it, the runtime polls for the next event. Work in
//! between delays no caller and ends before Lambda freezes the process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context as LambdaContext, LambdaInvocation};
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::{Layer, Service};
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::flush::{FlushMode, Traffic};
use super::spans::Spans;
use crate::attributes::{
    AWS_LAMBDA_INVOKED_ARN, AWS_LAMBDA_TENANT_ID, CLOUD_ACCOUNT_ID, CLOUD_RESOURCE_ID, ERROR_TYPE, FAAS_COLDSTART,
    FAAS_INVOCATION_ID, LAMBDA_SPANS_PROACTIVE_INIT,
};
use crate::capture::init_phase::Initialized;
use crate::capture::logs;
use crate::clock::Moment;
use crate::propagation::trace_header::TraceHeader;
use crate::trace::inbound::Inbound;
use crate::trace::invocation::{Invocation, new_trace_id};
use crate::trace::outcome::record_error;
use crate::trace::running::InvocationRunning;

/// The reserve between the end of an export and the deadline.
const MARGIN: Duration = Duration::from_millis(50);

const MIN_RESCUE: Duration = Duration::from_millis(250);
const MAX_RESCUE: Duration = Duration::from_millis(500);

/// Traces each invocation and exports after its response. The outermost layer of a `lambda_runtime::Runtime`.
///
/// [`Spans::start`] adds it to your own `Runtime` and otherwise does the same as [`run`](crate::run()). Only a
/// layer around the handler can record the request or the event: [`HttpLayer`](crate::HttpLayer) or
/// [`EventLayer`](crate::EventLayer).
#[derive(Clone, Debug)]
pub struct LambdaLayer {
    spans: Spans,
}

impl<S> Layer<S> for LambdaLayer {
    type Service = LambdaService<S>;

    fn layer(&self, inner: S) -> LambdaService<S> {
        LambdaService { inner, spans: self.spans.clone() }
    }
}

impl Spans {
    /// Returns the outer layer alone, for a `Runtime` that [`start`](Self::start) cannot prepare.
    ///
    /// Without `start`, the process does not receive SIGTERM, so all spans are exported after each response. The
    /// span `init` lasts until the first event, and copies of a SnapStart snapshot share one init phase. This function
    /// logs a warning.
    pub fn lambda_layer(&self) -> LambdaLayer {
        tracing::warn!("Spans::start was not called for this runtime: spans are exported after every response");
        self.warn_of_missing_roots();
        let mut spans = self.clone();
        spans.traffic = Arc::new(Traffic::new(FlushMode::End));
        spans.started_layer()
    }

    /// Returns the layer for a process whose init phase has ended.
    pub(crate) fn started_layer(&self) -> LambdaLayer {
        LambdaLayer { spans: self.clone() }
    }
}

/// The service of [`LambdaLayer`].
#[derive(Clone, Debug)]
pub struct LambdaService<S> {
    inner: S,
    spans: Spans,
}

impl<S> Service<LambdaInvocation> for LambdaService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = lambda_runtime::Error>,
{
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = LambdaFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, event: LambdaInvocation) -> Self::Future {
        if !self.spans.enabled {
            return LambdaFuture::handling(self.inner.call(event).instrument(Span::none()), None, None);
        }
        let lambda = &event.context;
        // Some emulators send no context.
        let header = lambda.xray_trace_id.as_deref().and_then(TraceHeader::parse);
        let header = header.unwrap_or_else(|| TraceHeader::unsampled(new_trace_id()));
        let inbound = Inbound::new(self.spans.context).with_event(event.body.clone(), header.lineage);
        let (request_id, sink) = (lambda.request_id.clone(), self.spans.pipeline.outbox.clone());
        let invocation = Invocation::from_lambda(header, request_id, sink, inbound);
        let deadline = lambda.deadline;
        let now = Moment::now();
        let burst = self.spans.traffic.is_burst(now);
        self.spans.pipeline.send_if_due();
        let span =
            info_span!(parent: None, "invocation", otel.name = lambda.env_config.function_name, otel.kind = "server");
        // Fails only for a span that is not recorded.
        span.set_parent(invocation.context()).ok();
        let mut root = span.context();
        if root.get::<Invocation>().is_none() {
            // The program's own filter has disabled the span.
            let builder = SpanBuilder::from_name(lambda.env_config.function_name.clone()).with_kind(SpanKind::Server);
            let context = invocation.context();
            root = context.with_span(self.spans.recorder.build_with_context(builder, &context));
        }
        let running = InvocationRunning::start(&self.spans.running, &invocation);
        let (kind, pipeline) = (self.spans.initialization.as_deref(), &self.spans.pipeline);
        let root_span = root.span().span_context().clone();
        let init = self.spans.init.hand_over(&invocation, &root_span, kind, &pipeline.accounts, &pipeline.sampler, now);
        let is_first = !self.spans.warm.swap(true, Ordering::Relaxed);
        describe(&root, lambda, is_first, init);
        let rescue = rescue_at(deadline, wall_clock());
        if let Some(Rescue { thread, .. }) = rescue
            && self.spans.traffic.mode() != FlushMode::Background
        {
            self.spans.watchdog.watch(Instant::now() + thread, invocation.clone(), &self.spans.pipeline);
        }
        let rescue = rescue.map(|rescue| Box::pin(tokio::time::sleep(rescue.timer)));
        let (_span, spans) = (span.clone(), self.spans.clone());
        let in_flight = InFlight { invocation, root, _span, running, deadline, burst, spans };
        let handler = span.in_scope(|| self.inner.call(event));
        LambdaFuture::handling(handler.instrument(span), Some(in_flight), rescue)
    }
}

fn describe(root: &Context, lambda: &LambdaContext, is_first: bool, init: Option<Initialized>) {
    let span = root.span();
    span.set_attribute(KeyValue::new(FAAS_INVOCATION_ID, lambda.request_id.clone()));
    if let Some(tenant) = &lambda.tenant_id {
        span.set_attribute(KeyValue::new(AWS_LAMBDA_TENANT_ID, tenant.clone()));
    }
    let init = init.and_then(|init| init.proactively);
    span.set_attribute(KeyValue::new(FAAS_COLDSTART, is_first && init.is_none()));
    if let Some(init) = init {
        span.set_attribute(KeyValue::new(LAMBDA_SPANS_PROACTIVE_INIT, true));
        span.add_link(init, Vec::new());
    }
    // arn:aws:lambda:<region>:<account>:function:<name>[:<alias>]
    let arn = &lambda.invoked_function_arn;
    let parts: Vec<&str> = arn.splitn(8, ':').take(7).collect();
    if let [.., account, _, _] = parts[..]
        && parts.len() == 7
    {
        span.set_attribute(KeyValue::new(AWS_LAMBDA_INVOKED_ARN, arn.clone()));
        span.set_attribute(KeyValue::new(CLOUD_ACCOUNT_ID, account.to_owned()));
        span.set_attribute(KeyValue::new(CLOUD_RESOURCE_ID, parts.join(":")));
    }
}

/// An invocation in progress.
struct InFlight {
    invocation: Invocation,
    root: Context,
    // Keeps the span open after the handler, because later results are recorded on it.
    _span: Span,
    running: InvocationRunning,
    deadline: u64,
    /// Whether it started soon after another.
    burst: bool,
    spans: Spans,
}

impl InFlight {
    /// Exports the current state of this invocation shortly before its deadline.
    fn rescue(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (invocation, pipeline) = (self.invocation.clone(), self.spans.pipeline.clone());
        let limit = budget(self.spans.budget, self.deadline, wall_clock());
        Box::pin(async move { pipeline.rescue(invocation, limit).await })
    }

    /// Ends the trace of this invocation and exports it.
    fn finish(self, failure: Option<&lambda_runtime::Error>) -> impl Future<Output = ()> + Send + use<> {
        if let Some(error) = failure {
            self.root.span().set_status(Status::error(error.to_string()));
            self.root.span().set_attribute(KeyValue::new(ERROR_TYPE, "runtime_api"));
        } else if self.invocation.inbound().was_refused() {
            record_error(&self.root, "event_refused");
        }
        // Otherwise the span would stay open as long as any of its children, such as one of a detached task.
        self.root.span().end();
        let Self { invocation, running, deadline, burst, spans, .. } = self;
        drop(running);
        spans.watchdog.forget();
        let verdict = invocation.close(&spans.pipeline.sampler);
        if verdict.failed {
            logs::release(invocation.take_buffered_logs());
        }
        async move {
            if spans.traffic.mode() == FlushMode::Background {
                return;
            }
            let limit = budget(spans.budget, deadline, wall_clock());
            if spans.traffic.must_flush(burst, verdict) {
                spans.pipeline.flush(limit).await;
            } else {
                spans.pipeline.flush_later(limit).await;
            }
            spans.traffic.ended(Moment::now());
        }
    }
}

fn wall_clock() -> SystemTime {
    Moment::now().wall()
}

/// How long to wait before a running invocation is rescued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rescue {
    /// By a timer of the runtime: when a tenth of the time is left, at least a round trip and at most half a second.
    timer: Duration,
    /// By the thread, if the timer did not run: at half of that.
    thread: Duration,
}

fn rescue_at(deadline: u64, now: SystemTime) -> Option<Rescue> {
    let left = (UNIX_EPOCH + Duration::from_millis(deadline)).duration_since(now).ok()?;
    let reserve = (left / 10).clamp(MIN_RESCUE, MAX_RESCUE);
    Some(Rescue { timer: left.checked_sub(reserve)?, thread: left - reserve / 2 })
}

/// Returns the lower of the setting and the time until the deadline, which is in milliseconds since the epoch.
fn budget(setting: Duration, deadline: u64, now: SystemTime) -> Duration {
    let left = (UNIX_EPOCH + Duration::from_millis(deadline)).duration_since(now);
    // Some emulators send deadlines in the past; such a deadline is ignored.
    left.map_or(setting, |left| setting.min(left.saturating_sub(MARGIN)))
}

pin_project! {
    /// The future of [`LambdaService`]: the handler and its response, then the export.
    #[project = Stage]
    pub struct LambdaFuture<F> {
        #[pin]
        handler: Option<Instrumented<F>>,
        in_flight: Option<InFlight>,
        result: Option<Result<(), lambda_runtime::Error>>,
        rescue: Option<Pin<Box<Sleep>>>,
        export: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    }
}

impl<F> LambdaFuture<F> {
    fn handling(handler: Instrumented<F>, in_flight: Option<InFlight>, rescue: Option<Pin<Box<Sleep>>>) -> Self {
        Self { handler: Some(handler), in_flight, result: None, rescue, export: None }
    }
}

impl<F> Future for LambdaFuture<F>
where
    F: Future<Output = Result<(), lambda_runtime::Error>>,
{
    type Output = Result<(), lambda_runtime::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(handler) = this.handler.as_mut().as_pin_mut() {
            let Poll::Ready(result) = handler.poll(context) else {
                if let Some(rescue) = this.rescue.as_mut()
                    && rescue.as_mut().poll(context).is_ready()
                {
                    *this.rescue = None;
                    *this.export = this.in_flight.as_ref().map(InFlight::rescue);
                }
                if let Some(export) = this.export.as_mut()
                    && export.as_mut().poll(context).is_ready()
                {
                    *this.export = None;
                }
                return Poll::Pending;
            };
            // A span that the handler still holds ends here, inside its invocation.
            this.handler.set(None);
            *this.export = this.in_flight.take().map(|in_flight| {
                Box::pin(in_flight.finish(result.as_ref().err())) as Pin<Box<dyn Future<Output = ()> + Send>>
            });
            *this.result = Some(result);
        }
        if let Some(export) = this.export.as_mut() {
            ready!(export.as_mut().poll(context));
            *this.export = None;
        }
        Poll::Ready(this.result.take().unwrap_or(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::run::settings::Settings;
    use crate::trace::test_span::{attributes, described};

    #[test]
    fn tenant_is_an_attribute() {
        let mut lambda = LambdaContext::default();
        lambda.tenant_id = Some("blue".to_owned());
        let span = described(|root| describe(root, &lambda, false, None));
        assert!(attributes(&span).contains(&"aws.lambda.tenant_id=blue".to_owned()));
        lambda.tenant_id = None;
        let span = described(|root| describe(root, &lambda, false, None));
        assert!(!attributes(&span).iter().any(|attribute| attribute.contains("tenant")));
    }

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn budget_is_the_setting_far_from_the_deadline() {
        assert_eq!(budget(Duration::from_secs(1), 10_000, at(1_000)), Duration::from_secs(1));
    }

    #[test]
    fn budget_ends_before_the_deadline() {
        assert_eq!(budget(Duration::from_secs(1), 10_000, at(9_800)), Duration::from_millis(150));
        assert_eq!(budget(Duration::from_secs(1), 10_000, at(9_990)), Duration::ZERO);
    }

    #[test]
    fn rescue_leaves_a_tenth_of_the_time_within_bounds() {
        let rescue =
            |deadline| rescue_at(deadline, at(0)).map(|rescue| (rescue.timer.as_millis(), rescue.thread.as_millis()));
        assert_eq!(rescue(3_000), Some((2_700, 2_850)));
        assert_eq!(rescue(500), Some((250, 375)));
        assert_eq!(rescue(60_000), Some((59_500, 59_750)));
        assert_eq!(rescue(200), None);
        assert_eq!(rescue_at(0, at(1)), None);
    }

    #[tokio::test]
    async fn root_exists_if_a_filter_disables_its_span() {
        let spans = Spans::new(&Settings::from_lookup(|_| None));
        let quiet = tracing_subscriber::filter::LevelFilter::WARN;
        let subscriber = tracing_subscriber::registry().with(spans.tracing_layer()).with(quiet);
        let _recording = tracing::subscriber::set_default(subscriber);
        let (parts, ()) = http::Response::new(()).into_parts();
        let event = LambdaInvocation { parts, body: bytes::Bytes::new(), context: LambdaContext::default() };
        let provider = spans.tracer_provider();
        let mut service = spans.started_layer().layer(tower::service_fn(async |_| {
            drop(provider.tracer("a library").start("query"));
            Ok(())
        }));
        service.call(event).await.unwrap();
        assert_eq!((spans.ledger().created, spans.running.only().is_none()), (2, true));
    }

    #[test]
    fn deadline_in_the_past_is_ignored() {
        assert_eq!(budget(Duration::from_secs(1), 0, at(9_800)), Duration::from_secs(1));
    }
}
