//! The tracing of one process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use tokio::task::JoinHandle;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Filter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry, filter};

use super::cleanup::Cleanup;
use super::flush::Traffic;
use super::settings::Settings;
use super::watchdog::Watchdog;
use crate::capture::error_events::ErrorEvents;
use crate::capture::init_phase::InitPhase;
use crate::capture::inject::Propagator;
use crate::capture::integers::Integers;
use crate::capture::logs;
use crate::capture::panics;
use crate::capture::recorder::Recorder;
use crate::clock::Moment;
use crate::export::pipeline::Pipeline;
use crate::otlp::http_stack::{HttpStack, NO_ROOTS};
use crate::otlp::settings::OtlpSettings;
use crate::propagation::ContextMode;
use crate::trace::accounting::Ledger;
use crate::trace::running::Running;
use crate::variables::SettingsWarning;

/// Longer than each part of the preparation may take.
const PREPARATION: Duration = Duration::from_secs(3);

/// Crates below the exporters and the AWS SDK. Their spans would feed the export with itself or repeat those of
/// [`AwsSdkSpans`](crate::AwsSdkSpans).
const INTERNAL: [&str; 42] = [
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sigv4",
    "aws_smithy_async",
    "aws_smithy_cbor",
    "aws_smithy_checksums",
    "aws_smithy_compression",
    "aws_smithy_dns",
    "aws_smithy_eventstream",
    "aws_smithy_http",
    "aws_smithy_http_client",
    "aws_smithy_json",
    "aws_smithy_observability",
    "aws_smithy_observability_otel",
    "aws_smithy_query",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "aws_smithy_schema",
    "aws_smithy_types",
    "aws_smithy_types_convert",
    "aws_smithy_xml",
    "aws_types",
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "lambda_http",
    "lambda_runtime",
    "lambda_runtime_api_client",
    "opentelemetry",
    "opentelemetry_aws",
    "opentelemetry_http",
    "opentelemetry_otlp",
    "opentelemetry_proto",
    "opentelemetry_sdk",
    "rustls",
    "tokio",
    "tokio_rustls",
    "tokio_util",
    "tower",
    "tracing_opentelemetry",
];

fn is_internal(target: &str) -> bool {
    let (name, path) = target.split_once("::").unwrap_or((target, ""));
    // AWS has hundreds of services. The crate of each creates its spans in these modules.
    let is_operation = path.starts_with("operation::") || path.starts_with("client::");
    INTERNAL.contains(&name) || (is_operation && name.starts_with("aws_sdk_"))
}

fn is_recorded(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO && !is_internal(metadata.target())
}

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
    pub(super) enabled: bool,
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
        let init = Arc::new(InitPhase::begin(pipeline.outbox.clone(), settings.runtime_api.is_some()));
        let recorder = Recorder::new(
            pipeline.accounts.clone(),
            pipeline.sampler.clone(),
            init.clone(),
            running.clone(),
            pipeline.outbox.clone(),
            settings.exception_messages,
            settings.enabled,
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
            enabled: settings.enabled,
            without_roots: Arc::new(AtomicBool::new(without_roots)),
        }
    }

    /// Installs tracing and logging for the process: spans go to the destinations, log lines to standard output.
    ///
    /// Call it in a Tokio runtime if possible: the preparation of the first export then runs in parallel with the rest
    /// of the init phase.
    ///
    /// # Errors
    /// Fails if another subscriber or logger is installed.
    pub fn install(settings: Settings) -> Result<Self, InstallError> {
        let spans = Self::new(&settings);
        let warnings = settings.warnings;
        let filter = settings.log_filter;
        let written = Filter::<Registry>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
        let buffer = settings.log_buffer.map(|kept| logs::Buffer::new(written).with_filter(kept));
        let messages = settings.exception_messages;
        let subscriber = Registry::default()
            .with(logs::layer(settings.export.terminal, messages).with_filter(filter))
            .with(buffer)
            .with(spans.enabled.then(|| spans.tracing_layer()));
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
        panics::report_panics(messages);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            spans.prepare(&runtime);
        }
        for SettingsWarning { variable, problem } in warnings {
            tracing::warn!(variable, problem, "a setting of tracing is invalid or has no effect");
        }
        spans.warn_of_missing_roots();
        Ok(spans)
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
    /// It records spans of level INFO and above. An `ERROR` event with an error value marks its span as failed. An
    /// error value is a `&dyn Error` or a field named `error` or `err`, which `#[instrument(err)]` records. All other
    /// events stay log lines, because receivers bill each span event.
    pub fn tracing_layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let enabled = self.enabled;
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.recorder.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // An error's message may quote private data.
            .with_error_fields_to_exceptions(false)
            .with_filter(
                filter::filter_fn(move |metadata| enabled && is_recorded(metadata))
                    .with_max_level_hint(LevelFilter::INFO),
            );
        let additions = filter::filter_fn(|metadata| {
            is_recorded(metadata)
                || (metadata.is_event() && *metadata.level() == Level::ERROR && !is_internal(metadata.target()))
        });
        let additions = Integers::new()
            .and_then(ErrorEvents::default())
            .with_filter(additions.with_max_level_hint(LevelFilter::INFO));
        spans.and_then(additions)
    }

    /// Returns whether Lambda runs copies of a snapshot of this process (SnapStart).
    pub(super) fn is_snapshot(&self) -> bool {
        self.initialization.as_deref() == Some("snap-start")
    }

    /// Returns the exporters' HTTP client for use in AWS SDK clients. The function then has one TLS stack and loads the
    /// trusted root certificates once.
    ///
    /// It uses the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, except for hosts in `NO_PROXY`. Its connect
    /// timeout is one second; the SDK's own connect and read timeouts do not apply. Without trusted root certificates,
    /// requests over TLS fail.
    pub fn http_client(&self) -> SharedHttpClient {
        self.http_stack.client()
    }

    /// Returns the connector of [`http_client`](Self::http_client) for requests outside of the AWS SDK. It has only a
    /// connect timeout of one second and creates no spans.
    pub fn http_connector(&self, url: &str) -> SharedHttpConnector {
        self.http_stack.connector(url)
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
    fn only_whole_crate_names_are_internal() {
        for target in [
            "aws_config",
            "aws_smithy_runtime::client::orchestrator",
            "aws_sdk_s3::operation::get_object",
            "hyper::proto",
        ] {
            assert!(is_internal(target), "{target}");
        }
        for target in [
            "aws_config_rule",
            "aws_smithy_shop::api",
            "opentelemetry_demo",
            "aws_sdk_helper::retry",
            "towering",
            "shop",
        ] {
            assert!(!is_internal(target), "{target}");
        }
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
