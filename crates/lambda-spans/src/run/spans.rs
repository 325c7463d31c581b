//! The tracing of one process.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use tokio::task::JoinHandle;
use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Filter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry};

use super::cleanup::Cleanup;
#[cfg(feature = "testing")]
use super::flush::FlushMode;
use super::flush::Traffic;
use super::settings::Settings;
use super::watchdog::Watchdog;
use crate::capture::error_events::ErrorEvents;
use crate::capture::init_phase::InitPhase;
use crate::capture::inject::Propagator;
use crate::capture::integers::Integers;
use crate::capture::logs::{self, LogLayer};
use crate::capture::panics;
use crate::capture::recorder::{Recorder, RecorderSettings};
use crate::capture::span_filter::{ChosenFilter, SpanFilter};
use crate::clock::Moment;
use crate::export::pipeline::Pipeline;
use crate::otlp::http_stack::{HttpStack, NO_ROOTS};
use crate::otlp::settings::OtlpSettings;
use crate::propagation::ContextMode;
use crate::trace::accounting::Ledger;
use crate::trace::exception::ExceptionMessages;
#[cfg(feature = "testing")]
use crate::trace::finished::FinishedSpans;
use crate::trace::running::Running;
use crate::variables::SettingsWarning;

/// What `install_with` accepts as a list.
type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Returns whether `layers` is a list without layers. It would disable every span and event of the process.
fn is_empty_list<L: 'static>(layers: &L) -> bool {
    (layers as &dyn Any).downcast_ref::<Vec<BoxedLayer>>().is_some_and(Vec::is_empty)
}

/// Longer than each part of the preparation may take.
const PREPARATION: Duration = Duration::from_secs(3);

/// An error while installing tracing. `Debug` shows the same message as `Display`, because Rust prints an error that
/// `main` returns by `Debug`.
#[non_exhaustive]
pub enum InstallError {
    /// The process already has a global subscriber or logger.
    Subscriber(TryInitError),
}

impl std::fmt::Display for InstallError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subscriber(error) => write!(
                formatter,
                "tracing cannot be installed ({error}): the process already has a global subscriber or logger; call \
                 lambda_spans::run, Spans::from_env or Spans::install once and remove other calls of `init`, or create \
                 Spans::new and add Spans::tracing_layer to your own subscriber"
            ),
        }
    }
}

impl std::fmt::Debug for InstallError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for InstallError {}

/// The tracing of this process. Clones share it.
#[derive(Clone)]
pub struct Spans {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) init: Arc<InitPhase>,
    pub(super) watchdog: Arc<Watchdog>,
    pub(super) running: Arc<Running>,
    pub(super) cleanup: Arc<Cleanup>,
    pub(super) recorder: Recorder,
    /// Lambda's initialization type, such as `on-demand` or `snap-start`.
    pub(super) initialization: Option<String>,
    pub(super) concurrency: u64,
    /// Host and port of the Runtime API, in Lambda.
    pub(super) runtime_api: Option<String>,
    pub(super) preparation: Arc<Mutex<Option<JoinHandle<()>>>>,
    pub(super) http_stack: HttpStack,
    pub(super) budget: Duration,
    pub(super) context: ContextMode,
    pub(super) client_address: bool,
    pub(super) adopts_trace_ids: bool,
    pub(super) enabled: bool,
    /// Whether this process has handled an invocation.
    pub(super) warm: Arc<AtomicBool>,
    /// The program's own filter of spans.
    filter: Option<Arc<ChosenFilter>>,
    messages: ExceptionMessages,
    /// Whether there is no OTLP destination because there are no trusted root certificates.
    without_roots: Arc<AtomicBool>,
}

/// Shows only the counts, because settings and requests contain keys.
impl std::fmt::Debug for Spans {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Spans").field("ledger", &self.ledger()).finish_non_exhaustive()
    }
}

impl Spans {
    /// Creates the destinations without changing the process's global subscriber; see [`Spans::tracing_layer`].
    ///
    /// It does not log [`Settings::warnings`].
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let http_stack = HttpStack::new(settings.proxy.clone());
        let mut export = settings.export.clone();
        let needs_roots = |otlp: &mut OtlpSettings| otlp.endpoint.is_https() && otlp.certificates.is_none();
        let mut without_roots = false;
        for otlp in [&mut export.otlp, &mut export.second_otlp] {
            without_roots |= otlp.take_if(|otlp| needs_roots(otlp) && !http_stack.roots_exist()).is_some();
        }
        let pipeline = Pipeline::new(&export, &settings.resource, &settings.sampling, &http_stack);
        let running = Arc::<Running>::default();
        let init =
            Arc::new(InitPhase::begin(pipeline.outbox.clone(), settings.runtime_api.is_some(), settings.hook.clone()));
        let recorder = Recorder::new(
            pipeline.accounts.clone(),
            pipeline.sampler.clone(),
            init.clone(),
            running.clone(),
            pipeline.outbox.clone(),
            RecorderSettings {
                enabled: settings.enabled,
                messages: settings.exception_messages,
                limits: settings.limits,
                hook: settings.hook.clone(),
            },
        );
        Self {
            watchdog: Arc::new(Watchdog::new()),
            running,
            cleanup: Arc::default(),
            recorder,
            init,
            initialization: settings.initialization.clone(),
            concurrency: settings.concurrency,
            runtime_api: settings.runtime_api.clone(),
            preparation: Arc::default(),
            http_stack,
            pipeline: Arc::new(pipeline),
            traffic: Arc::new(Traffic::new(settings.flush)),
            budget: settings.budget,
            context: settings.context,
            client_address: settings.client_address,
            adopts_trace_ids: settings.adopts_trace_ids,
            enabled: settings.enabled,
            warm: Arc::default(),
            filter: settings.span_filter.clone().map(Arc::new),
            messages: settings.exception_messages,
            without_roots: Arc::new(AtomicBool::new(without_roots)),
        }
    }

    /// Creates the tracing of a test: spans wait in memory for [`take_finished`](Self::take_finished).
    #[cfg(feature = "testing")]
    pub(crate) fn in_memory(settings: &Settings) -> Self {
        let mut settings = settings.clone();
        settings.runtime_api = None;
        (settings.export.xray, settings.export.otlp, settings.export.second_otlp) = (None, None, None);
        let spans = Self::new(&settings);
        // In this mode, an invocation exports nothing.
        Self { traffic: Arc::new(Traffic::new(FlushMode::Background)), ..spans }
    }

    /// Takes the spans that wait for an export.
    #[cfg(feature = "testing")]
    pub(crate) fn take_finished(&self) -> Vec<FinishedSpans> {
        self.pipeline.outbox.take()
    }

    /// Installs tracing and logging for the process: spans go to the destinations, log lines to standard output.
    ///
    /// Call it in a Tokio runtime if possible: the preparation of the first export then runs in parallel with the rest
    /// of the init phase.
    ///
    /// # Errors
    /// Fails if another subscriber or logger is installed.
    pub fn install(settings: Settings) -> Result<Self, InstallError> {
        Self::install_on(Registry::default(), settings)
    }

    /// Installs the same as [`install`](Self::install) and further layers, such as Sentry's.
    ///
    /// A layer's own filter (`with_filter`) affects that layer only. A filter that is added as a layer affects spans and
    /// log lines, too. Several layers are one `Vec<Box<dyn Layer<Registry> + Send + Sync>>`, and a layer may be optional.
    /// [`Settings::without_logs`] leaves out the library's own log lines.
    ///
    /// Another OpenTelemetry layer cannot be among them. All OpenTelemetry layers store their data under the same type in
    /// the span's extensions, so the first span that both record panics. Pass [`tracer_provider`](Self::tracer_provider)
    /// to libraries with an OpenTelemetry tracer. To send spans to one more receiver, configure a second destination.
    ///
    /// ```no_run
    /// use lambda_spans::{Settings, Spans};
    /// use tracing_subscriber::Layer as _;
    /// use tracing_subscriber::filter::LevelFilter;
    ///
    /// # fn main_() -> Result<(), lambda_spans::InstallError> {
    /// let settings = Settings::from_env().without_logs();
    /// let lines = tracing_subscriber::fmt::layer().with_filter(LevelFilter::WARN);
    /// let spans = Spans::install_with(settings, lines)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails if another subscriber or logger is installed.
    pub fn install_with<L>(settings: Settings, layers: L) -> Result<Self, InstallError>
    where
        L: Layer<Registry> + Send + Sync + 'static,
    {
        if is_empty_list(&layers) {
            return Self::install(settings);
        }
        Self::install_on(Registry::default().with(layers), settings)
    }

    /// Adds the layers of this library to `subscriber` and installs it.
    fn install_on<S>(subscriber: S, settings: Settings) -> Result<Self, InstallError>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync + 'static,
    {
        let spans = Self::new(&settings);
        let subscriber = spans.subscriber(subscriber, &settings);
        // `try_init` would also fail if the program has installed a logger of the `log` crate.
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            // Only `try_init` creates the error.
            Registry::default().try_init().map_err(InstallError::Subscriber)?;
        }
        logs::bridge_log_crate();
        if spans.enabled {
            opentelemetry::global::set_tracer_provider(spans.recorder.clone());
            opentelemetry::global::set_text_map_propagator(Propagator);
        }
        panics::report_panics(spans.messages);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            spans.prepare(&runtime);
        }
        for SettingsWarning { variable, problem } in settings.warnings {
            tracing::warn!(variable, problem, "a setting of tracing is invalid or has no effect");
        }
        spans.warn_of_missing_roots();
        Ok(spans)
    }

    /// Adds the layers of this library to `subscriber`.
    pub(super) fn subscriber<S>(&self, subscriber: S, settings: &Settings) -> impl Subscriber + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync + 'static,
    {
        let filter = settings.log_filter.clone();
        let written = Filter::<S>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
        let (lines, buffer) = if settings.logs {
            let buffer = settings.log_buffer.map(|kept| logs::Buffer::new(written).with_filter(kept));
            (Some(logs::layer(settings.export.terminal.is_some(), self.messages).with_filter(filter)), buffer)
        } else {
            (None, None)
        };
        subscriber.with(lines).with(buffer).with(self.enabled.then(|| self.tracing_layer()))
    }

    /// Logs once if OTLP export is off because there are no trusted root certificates.
    pub(super) fn warn_of_missing_roots(&self) {
        if self.without_roots.swap(false, Ordering::Relaxed) {
            tracing::warn!(problem = NO_ROOTS, "spans are not exported by OTLP");
        }
    }

    /// Starts the preparation of the first export.
    fn prepare(&self, runtime: &tokio::runtime::Handle) {
        // Copies of a snapshot cannot use its connections and keys.
        if self.enabled && !self.is_snapshot() {
            let pipeline = self.pipeline.clone();
            *self.preparation.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(runtime.spawn(async move { pipeline.prepare().await }));
        }
    }

    /// Waits for the preparation of the first export, which has run in parallel with the rest of the init phase.
    pub(super) async fn prepared(&self) {
        let take = || self.preparation.lock().unwrap_or_else(PoisonError::into_inner).take();
        let preparation = take().or_else(|| {
            // Tracing was installed outside of a runtime.
            self.prepare(&tokio::runtime::Handle::current());
            take()
        });
        if let Some(preparation) = preparation {
            // The runtime in which tracing was installed may have ended or may no longer be polled.
            tokio::time::timeout(PREPARATION, preparation).await.ok();
        }
    }

    /// Makes the sampling over OTLP depend on `key`, for a key that is read at the start, for example from Secrets
    /// Manager.
    ///
    /// `LAMBDA_SPANS_SAMPLE_KEY` takes precedence. Call this before the first invocation: only the first key counts,
    /// and a key has no effect after the first sampling decision.
    pub fn sample_by_key(&self, key: &[u8]) {
        self.pipeline.sampler.set_key(key);
    }

    /// Returns the provider of tracers for libraries that use the OpenTelemetry API instead of `tracing`.
    /// [`install`](Self::install) makes it the global provider, and [`Propagator`] the global propagator.
    ///
    /// ```
    /// # fn example(spans: &lambda_spans::Spans) {
    /// use lambda_spans::opentelemetry::global;
    ///
    /// global::set_tracer_provider(spans.tracer_provider());
    /// global::set_text_map_propagator(lambda_spans::Propagator);
    /// # }
    /// ```
    pub fn tracer_provider(
        &self,
    ) -> impl TracerProvider<Tracer: Tracer<Span: Span + Send + Sync + 'static> + Send + Sync + 'static>
    + Send
    + Sync
    + 'static {
        self.recorder.clone()
    }

    /// Returns the layer that records spans, for your own subscriber.
    ///
    /// It records spans of level INFO and above, or those that `LAMBDA_SPANS_FILTER` selects. Its own filter makes it
    /// independent of the filters of your other layers. Add at most one OpenTelemetry layer to a subscriber: all of them
    /// store their data under the same type in the span's extensions, and the first span that two of them record panics.
    ///
    /// An `ERROR` event with an error value marks its span as failed. An error value is a `&dyn Error` or a field named `error` or `err`, which `#[instrument(err)]` records. All other
    /// events stay log lines, because receivers bill each span event.
    pub fn tracing_layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let filter = || SpanFilter::new(self.enabled, self.filter.as_deref().cloned());
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.recorder.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // An error's message may quote private data.
            .with_error_fields_to_exceptions(false)
            .with_filter(filter());
        let additions = Integers::new().and_then(ErrorEvents::default()).with_filter(filter().with_error_events());
        spans.and_then(additions)
    }

    /// Returns the layer that writes log lines, for your own subscriber. It follows `LAMBDA_SPANS_EXCEPTION_MESSAGE`,
    /// but not `RUST_LOG`: add a filter.
    pub fn log_layer(&self) -> LogLayer {
        LogLayer::with_messages(self.messages)
    }

    /// Returns whether Lambda runs copies of a snapshot of this process (SnapStart).
    pub(super) fn is_snapshot(&self) -> bool {
        self.initialization.as_deref() == Some("snap-start")
    }

    /// Returns the exporters' HTTP client for use in AWS SDK clients. The function then has one TLS stack and loads the
    /// trusted root certificates once, at its first TLS connection.
    ///
    /// It sends HTTP/1.1 and uses the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, except for hosts in
    /// `NO_PROXY`. The SDK's connect timeout is limited to one second; its read timeout applies. Without trusted root
    /// certificates, requests over TLS fail.
    pub fn http_client(&self) -> SharedHttpClient {
        self.http_stack.client()
    }

    /// Returns the connector of [`http_client`](Self::http_client) for requests outside of the AWS SDK. It has only a
    /// connect timeout of one second and creates no spans.
    pub fn http_connector(&self) -> SharedHttpConnector {
        self.http_stack.connector()
    }

    /// Exports the remaining spans within `limit`.
    ///
    /// Spans that cannot be sent in time count as carried in the [`ledger`](Self::ledger).
    pub async fn shutdown(&self, limit: Duration) {
        let (pipeline, kind) = (&self.pipeline, self.initialization.as_deref());
        self.init.abandon(kind, &pipeline.accounts, &pipeline.sampler, Moment::now());
        pipeline.finish(limit).await;
    }

    /// Returns the counts of all spans so far.
    pub fn ledger(&self) -> Ledger {
        self.pipeline.accounts.ledger()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use opentelemetry::trace::{SpanContext, SpanKind};
    use opentelemetry_sdk::trace::SpanData;
    use tracing::info_span;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    use super::*;
    use crate::trace::inbound::Inbound;
    use crate::trace::invocation::{Invocation, new_trace_id};

    /// The spans that the first invocation receives from the init phase.
    pub(crate) fn init_spans(spans: &Spans) -> Vec<SpanData> {
        let first = Invocation::root(new_trace_id(), String::new(), spans.pipeline.outbox.clone(), Inbound::default());
        let (accounts, sampler) = (&spans.pipeline.accounts, &spans.pipeline.sampler);
        spans.init.hand_over(&first, &SpanContext::empty_context(), None, accounts, sampler, Moment::now());
        first.take_finished()
    }

    #[test]
    fn spans_before_a_snapshot_are_not_in_its_copies() {
        let settings = Settings::from_lookup(|name| match name {
            "AWS_XRAY_DAEMON_ADDRESS" | "AWS_LAMBDA_RUNTIME_API" => Some("127.0.0.1:1".to_owned()),
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://127.0.0.1:1".to_owned()),
            _ => None,
        });
        let spans = Spans::new(&settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tracing::subscriber::with_default(Registry::default().with(spans.tracing_layer()), || {
            info_span!("migrate").in_scope(|| {});
            spans.init.restored();
            info_span!("connect").in_scope(|| {});
        });
        runtime.block_on(spans.pipeline.flush(std::time::Duration::from_secs(1)));
        let ledger = spans.ledger();
        assert_eq!((ledger.created, ledger.xray.sampled_out, ledger.otlp.sampled_out), (2, 1, 1));
        let names: Vec<_> = init_spans(&spans).into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["connect", "init"]);
    }

    #[test]
    fn late_kind_is_one_of_the_five() {
        let settings = Settings::from_lookup(|name| {
            let is_set = ["AWS_XRAY_DAEMON_ADDRESS", "AWS_LAMBDA_RUNTIME_API"].contains(&name);
            is_set.then(|| "127.0.0.1:1".to_owned())
        });
        let spans = Spans::new(&settings);
        let kinds = [
            ("server", SpanKind::Server),
            ("CLIENT", SpanKind::Client),
            ("Producer", SpanKind::Producer),
            ("consumer", SpanKind::Consumer),
            ("internal", SpanKind::Internal),
            ("remote", SpanKind::Producer),
            ("", SpanKind::Producer),
        ];
        tracing::subscriber::with_default(Registry::default().with(spans.tracing_layer()), || {
            for (kind, _) in &kinds {
                info_span!("work", otel.kind = "producer").set_attribute("otel.kind", *kind);
            }
        });
        let recorded = init_spans(&spans);
        let expected = kinds.map(|(_, kind)| (kind, 0));
        let found: Vec<_> = recorded.iter().map(|span| (span.span_kind.clone(), span.attributes.len())).collect();
        assert_eq!(found.get(..expected.len()), Some(&expected[..]));
    }

    #[test]
    fn empty_list_of_layers_is_recognized() {
        let one: Vec<BoxedLayer> = vec![Box::new(LogLayer::new())];
        assert!(is_empty_list(&Vec::<BoxedLayer>::new()));
        assert!(!is_empty_list(&one) && !is_empty_list(&LogLayer::new()));
    }

    /// The counts after a span without an invocation.
    fn counts(variables: &[&str]) -> (u64, u64) {
        let settings = Settings::from_lookup(|name| variables.contains(&name).then(|| "127.0.0.1:1".to_owned()));
        let spans = Spans::new(&settings);
        tracing::subscriber::with_default(Registry::default().with(spans.tracing_layer()), || {
            info_span!("migrate").in_scope(|| {});
        });
        (spans.ledger().created, spans.ledger().xray.carried)
    }

    #[test]
    fn span_before_the_first_invocation_waits_in_lambda_only() {
        assert_eq!(counts(&["AWS_XRAY_DAEMON_ADDRESS", "AWS_LAMBDA_RUNTIME_API"]), (1, 0));
        assert_eq!(counts(&["AWS_XRAY_DAEMON_ADDRESS"]), (1, 1));
    }
}
