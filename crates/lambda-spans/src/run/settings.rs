//! The settings of tracing: environment variables, read once.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use opentelemetry::{Key, Value};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::flush::FlushMode;
use crate::capture::limits::SpanLimits;
use crate::capture::span_filter::{self, ChosenFilter};
use crate::export::pipeline::ExportSettings;
#[cfg(feature = "http")]
use crate::export::pipeline::Viewer;
use crate::export::resource::ResourceSettings;
use crate::export::terminal::Terminal;
use crate::otlp::proxy::ProxySettings;
use crate::otlp::settings::OtlpSettings;
use crate::propagation::ContextMode;
use crate::trace::exception::ExceptionMessages;
use crate::trace::hook::{EndedSpan, SpanHook};
use crate::trace::sampling::SamplingSettings;
use crate::variables::{self, Reader, SettingsWarning};

/// Enough for a new TLS connection and a request, which take three round trips, at a round-trip time of 200 ms. One in
/// 200 exports waits for a receiver that never responds, which costs 4 ms per invocation.
const DEFAULT_BUDGET: Duration = Duration::from_millis(800);
const DEFAULT_LOG_LEVEL: LevelFilter = LevelFilter::INFO;
const MESSAGES: [(&str, ExceptionMessages); 3] =
    [("none", ExceptionMessages::None), ("log", ExceptionMessages::Log), ("all", ExceptionMessages::All)];

/// Variables of OpenTelemetry, and of the X-Ray SDKs, that have no effect here, each with what to use instead.
const UNSUPPORTED: [(&str, &str); 10] = [
    ("OTEL_TRACES_SAMPLER", "set LAMBDA_SPANS_SAMPLE_RATE"),
    ("OTEL_TRACES_SAMPLER_ARG", "set LAMBDA_SPANS_SAMPLE_RATE"),
    ("OTEL_PROPAGATORS", "set LAMBDA_SPANS_CONTEXT"),
    ("OTEL_LOG_LEVEL", "set RUST_LOG"),
    ("OTEL_CONFIG_FILE", "set the variables one by one"),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "set the variables one by one"),
    ("HONEYCOMB_SAMPLE_RATE", "set LAMBDA_SPANS_SAMPLE_RATE"),
    ("AWS_XRAY_TRACING_NAME", "set OTEL_SERVICE_NAME"),
    ("AWS_XRAY_SDK_ENABLED", "set OTEL_SDK_DISABLED"),
    ("AWS_XRAY_COLLECTOR_ENDPOINT", "set AWS_XRAY_DAEMON_ADDRESS"),
];

/// Returns the filter without `RUST_LOG`: level INFO, but WARN for OpenTelemetry, which reports each start at INFO.
fn default_log_filter() -> Targets {
    Targets::new().with_default(DEFAULT_LOG_LEVEL).with_target("opentelemetry", LevelFilter::WARN)
}

/// The settings of tracing, read once from the environment.
///
#[doc = include_str!("../../docs/settings.md")]
#[derive(Clone)]
pub struct Settings {
    pub(crate) enabled: bool,
    pub(crate) export: ExportSettings,
    pub(crate) proxy: ProxySettings,
    pub(crate) resource: ResourceSettings,
    pub(crate) budget: Duration,
    pub(crate) flush: FlushMode,
    pub(crate) initialization: Option<String>,
    pub(crate) concurrency: u64,
    pub(crate) runtime_api: Option<String>,
    pub(crate) sampling: SamplingSettings,
    pub(crate) context: ContextMode,
    pub(crate) client_address: bool,
    pub(crate) adopts_trace_ids: bool,
    pub(crate) exception_messages: ExceptionMessages,
    pub(crate) span_filter: Option<ChosenFilter>,
    pub(crate) limits: SpanLimits,
    pub(crate) hook: SpanHook,
    /// Whether this library writes log lines.
    pub(crate) logs: bool,
    pub(crate) log_filter: Targets,
    pub(crate) log_buffer: Option<LevelFilter>,
    pub(crate) warnings: Vec<SettingsWarning>,
}

/// Shows the destinations without headers and keys, which are secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint =
            |otlp: &Option<OtlpSettings>| otlp.as_ref().map(|otlp| otlp.endpoint.without_query().to_string());
        formatter
            .debug_struct("Settings")
            .field("enabled", &self.enabled)
            .field("otlp", &endpoint(&self.export.otlp))
            .field("second_otlp", &endpoint(&self.export.second_otlp))
            .field("xray_daemon", &self.export.xray.as_ref().map(|xray| &xray.daemon))
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings from the environment.
    ///
    /// It never fails: an unusable variable causes a [warning](Self::warnings), and its default applies. An unknown
    /// variable that begins with `LAMBDA_SPANS_` causes a warning, too.
    pub fn from_env() -> Self {
        let (mut settings, known) = Self::read(&variables::process_variable);
        for (variable, is_text) in variables::process_variables() {
            let problem = match known.contains(&variable) {
                true if is_text => continue,
                true => "the value is not UTF-8",
                false if variable.starts_with("LAMBDA_SPANS_") => "the variable is unknown; check its name",
                false => continue,
            };
            settings.warnings.push(SettingsWarning { variable, problem: problem.to_owned() });
        }
        settings
    }

    /// Reads the settings through `get`, which returns the value of a variable.
    ///
    /// An empty value counts as unset. An unusable variable causes a [warning](Self::warnings), and its default
    /// applies.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        Self::read(&get).0
    }

    fn read(get: &dyn Fn(&str) -> Option<String>) -> (Self, BTreeSet<String>) {
        let mut reader = Reader::new(get);
        let mut settings = Self {
            enabled: !reader.flag("OTEL_SDK_DISABLED"),
            export: ExportSettings::read(&mut reader),
            proxy: ProxySettings::read(&mut reader),
            resource: ResourceSettings::read(&mut reader),
            budget: reader.milliseconds(&["LAMBDA_SPANS_BUDGET_MS"]).unwrap_or(DEFAULT_BUDGET),
            flush: reader
                .choice(&["LAMBDA_SPANS_FLUSH"], &[("end", FlushMode::End), ("adaptive", FlushMode::Adaptive)])
                .unwrap_or_default(),
            initialization: reader.text("AWS_LAMBDA_INITIALIZATION_TYPE"),
            concurrency: reader.count(&["AWS_LAMBDA_MAX_CONCURRENCY"]).unwrap_or(1),
            runtime_api: reader.text("AWS_LAMBDA_RUNTIME_API"),
            sampling: SamplingSettings {
                one_in: reader.count(&["LAMBDA_SPANS_SAMPLE_RATE"]).unwrap_or(1),
                second_one_in: reader.count(&["LAMBDA_SPANS_SECOND_OTLP_SAMPLE_RATE"]).unwrap_or(1),
                keep_slower_than: reader.milliseconds(&["LAMBDA_SPANS_KEEP_SLOWER_THAN_MS"]),
                key: reader.text("LAMBDA_SPANS_SAMPLE_KEY"),
            },
            context: reader
                .choice(&["LAMBDA_SPANS_CONTEXT"], &[("xray", ContextMode::Xray), ("caller", ContextMode::Caller)])
                .unwrap_or_default(),
            client_address: false,
            adopts_trace_ids: false,
            exception_messages: reader.choice(&["LAMBDA_SPANS_EXCEPTION_MESSAGE"], &MESSAGES).unwrap_or(
                match reader.text("AWS_LAMBDA_RUNTIME_API") {
                    Some(_) => ExceptionMessages::Log,
                    None => ExceptionMessages::All,
                },
            ),
            span_filter: span_filter::read(&mut reader),
            limits: SpanLimits::read(&mut reader),
            hook: SpanHook::default(),
            logs: true,
            log_filter: reader.log_filter().unwrap_or_else(default_log_filter),
            log_buffer: reader
                .choice(&["LAMBDA_SPANS_LOG_BUFFER"], &[("debug", LevelFilter::DEBUG), ("trace", LevelFilter::TRACE)]),
            warnings: Vec::new(),
        };
        reader.unsupported(&UNSUPPORTED);
        let (warnings, known) = reader.finish();
        settings.warnings = warnings;
        (settings, known)
    }

    /// Returns the variables that cannot be used as they are. [`Spans::install`](crate::Spans::install) logs them.
    #[must_use]
    pub fn warnings(&self) -> &[SettingsWarning] {
        &self.warnings
    }

    /// Prints each trace as a tree with durations on standard error, and log lines as plain text.
    #[must_use]
    pub fn with_terminal(mut self) -> Self {
        self.export.terminal = Some(Terminal::Trees);
        self
    }

    /// Prints one line for each request on standard error, and log lines as plain text. A line contains the method, the
    /// route, the status and the duration. It ends with `link` and the trace id, such as
    /// `http://127.0.0.1:4318/#/trace/6b032d7b57cdb8ce2e470ad53d3de99e`; without a link, with the trace id only. Traces
    /// that are not HTTP requests print nothing.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn with_request_lines(mut self, link: Option<&str>) -> Self {
        self.export.terminal = Some(Terminal::Lines { link: link.unwrap_or_default().to_owned() });
        self
    }

    /// Also sends each trace to a viewer such as `lambda-console`: its spans by OTLP to `http://{otlp}/v1/traces`, and its
    /// X-Ray documents by UDP to `xray`.
    ///
    /// The viewer gets what the destinations get: the same sampling applies. It is no destination: it has no part in the
    /// [`ledger`](crate::Spans::ledger) and delays no export. It has an effect only with
    /// [`Spans::server`](crate::Spans::server).
    #[cfg(feature = "http")]
    #[must_use]
    pub fn with_viewer(mut self, otlp: std::net::SocketAddr, xray: Option<std::net::SocketAddr>) -> Self {
        self.export.viewer = Some(Viewer { otlp, xray });
        self
    }

    /// Adopts the trace id of a request: the `Root` of its `X-Amzn-Trace-Id`, if it is at most 24 hours old. API Gateway
    /// does the same. It has an effect only with [`Spans::server`](crate::Spans::server), for a server in the place of API
    /// Gateway.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn with_adopted_trace_ids(mut self) -> Self {
        self.adopts_trace_ids = true;
        self
    }

    /// Records the client's address as `client.address`. It is personal data in many jurisdictions.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn with_client_address(mut self) -> Self {
        self.client_address = true;
        self
    }

    /// Leaves out the library's own log lines, for a program with its own log layer; see
    /// [`Spans::install_with`](crate::Spans::install_with). `RUST_LOG` and `LAMBDA_SPANS_LOG_BUFFER` then have no effect.
    #[must_use]
    pub fn without_logs(mut self) -> Self {
        self.logs = false;
        self
    }

    /// Calls `hook` with each span when the span ends, before any destination receives it. The hook may read the span
    /// and change its name, status and attributes, for example to add the tenant or to redact a value.
    ///
    /// Several hooks run in the order in which they were added. A span that is still open shortly before the
    /// invocation's timeout passes through the hooks in its current state, and again when it ends.
    ///
    /// The hook runs on the thread that ends the span, so it must be fast and must not block. Everything that it needs
    /// is in its argument; it must not use the current span. Spans that start within it are not recorded. If it panics,
    /// the span loses all attributes, also those of its events and links, and the description of its status. Its name
    /// stays.
    ///
    /// Some attributes are set later and pass through no hook: `SampleRate`, `aws.xray.trace_id`,
    /// `lambda_spans.omitted` and `lambda_spans.interrupted`.
    ///
    /// ```
    /// use lambda_spans::Settings;
    ///
    /// let settings = Settings::from_env().with_span_hook(|span| {
    ///     span.set_attribute("app.tenant", "acme");
    ///     span.retain_attributes(|key, _| key.as_str() != "user_agent.original");
    /// });
    /// # drop(settings);
    /// ```
    #[must_use]
    pub fn with_span_hook(mut self, hook: impl Fn(&mut EndedSpan<'_>) + Send + Sync + 'static) -> Self {
        self.hook = self.hook.and(hook);
        self
    }

    /// Sets an attribute of the resource, such as `deployment.environment.name`. It takes precedence over the
    /// environment. A key that Honeycomb reserves gets the prefix `field.`.
    #[must_use]
    pub fn with_resource_attribute(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
        self.resource.set(&key.into(), value.into());
        self
    }

    /// Sets the service's version, such as `env!("CARGO_PKG_VERSION")`. It takes precedence over `service.version` in
    /// `OTEL_RESOURCE_ATTRIBUTES`; [`with_default_service_version`](Self::with_default_service_version) does not.
    #[must_use]
    pub fn with_service_version(mut self, version: &str) -> Self {
        self.resource.service_version = Some(version.to_owned());
        self
    }

    /// Sets the service's name if the environment has none.
    #[must_use]
    pub fn with_default_service_name(mut self, name: &str) -> Self {
        self.resource.service_name.get_or_insert_with(|| name.to_owned());
        self
    }

    /// Sets the service's version, such as `env!("CARGO_PKG_VERSION")`, if `OTEL_RESOURCE_ATTRIBUTES` has no
    /// `service.version`.
    #[must_use]
    pub fn with_default_service_version(mut self, version: &str) -> Self {
        self.resource.service_version.get_or_insert_with(|| version.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::compression::Compression;
    #[cfg(feature = "sigv4")]
    use crate::trace::accounting::Destination;

    fn read(variables: &[(&str, &str)]) -> Settings {
        Settings::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn otlp(variables: &[(&str, &str)]) -> OtlpSettings {
        let settings = read(variables);
        assert_eq!(settings.warnings(), []);
        settings.export.otlp.expect("an OTLP destination")
    }

    fn endpoint(variables: &[(&str, &str)]) -> String {
        otlp(variables).endpoint.to_string()
    }

    fn headers(settings: &OtlpSettings) -> Vec<(&str, &[u8])> {
        settings.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    /// The variables of the warnings.
    fn warned(variables: &[(&str, &str)]) -> Vec<String> {
        read(variables).warnings().iter().map(|warning| warning.variable.clone()).collect()
    }

    #[test]
    fn no_variables_give_no_destination() {
        let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]);
        assert!(settings.export.otlp.is_none());
        assert!(settings.export.xray.is_none());
        assert!(settings.enabled);
        assert_eq!(settings.budget, Duration::from_millis(800));
        assert_eq!(settings.warnings(), []);
    }

    #[test]
    fn default_log_filter_hides_info_of_opentelemetry() {
        let filter = read(&[]).log_filter;
        assert!(!filter.would_enable("opentelemetry", &tracing::Level::INFO));
        assert!(filter.would_enable("opentelemetry", &tracing::Level::WARN));
        assert!(filter.would_enable("shop", &tracing::Level::INFO));
    }

    #[test]
    fn only_a_general_endpoint_gets_the_traces_path() {
        assert_eq!(
            endpoint(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/")]),
            "http://127.0.0.1:4318/v1/traces"
        );
        assert_eq!(
            endpoint(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/x?y=z"),
            ]),
            "http://collector/x?y=z"
        );
    }

    #[test]
    fn headers_are_decoded_and_traces_headers_win() {
        let settings = otlp(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1, b=two%20words"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "A=2"),
        ]);
        assert_eq!(headers(&settings), [("a", b"2".as_slice()), ("b", b"two words")]);
    }

    #[test]
    fn unusable_headers_are_left_out_with_their_position() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=canary,good=1,bad=canary%0A,content-length=5,canary,=canary,x=%FF"),
        ];
        let settings = read(&variables);
        let problems: Vec<_> = settings.warnings().iter().map(|warning| warning.problem.as_str()).collect();
        let positions: Vec<_> = problems.iter().filter_map(|problem| problem.split(' ').nth(1)).collect();
        // The syntax of all entries is checked before the headers.
        assert_eq!(positions, ["5", "6", "7", "1", "3", "4"]);
        assert!(!format!("{problems:?}").contains("canary"));
        assert_eq!(headers(&settings.export.otlp.expect("an OTLP destination")), [("good", b"1".as_slice())]);
    }

    #[test]
    fn credentials_of_the_endpoint_are_a_header() {
        let settings = otlp(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:canary@collector/base?token=canary")]);
        assert_eq!(settings.endpoint.to_string(), "https://collector/base/v1/traces?token=canary");
        assert_eq!(headers(&settings), [("authorization", b"Basic dXNlcjpjYW5hcnk=".as_slice())]);
        let given = otlp(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:canary@collector"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer x"),
        ]);
        assert_eq!(headers(&given), [("authorization", b"Bearer x".as_slice())]);
        let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:canary@collector?token=canary")]);
        assert!(!format!("{settings:?}").contains("canary"));
    }

    #[test]
    fn honeycomb_key_alone_is_enough() {
        let settings = otlp(&[("HONEYCOMB_API_KEY", "k")]);
        assert_eq!(settings.endpoint.to_string(), "https://api.honeycomb.io/v1/traces");
        assert_eq!(headers(&settings), [("x-honeycomb-team", b"k".as_slice())]);
        let eu = [("HONEYCOMB_API_KEY", "k"), ("HONEYCOMB_API_ENDPOINT", "https://api.eu1.honeycomb.io/")];
        assert_eq!(endpoint(&eu), "https://api.eu1.honeycomb.io/v1/traces");
    }

    #[test]
    fn honeycomb_key_is_sent_to_honeycomb_only() {
        let collector = [("HONEYCOMB_API_KEY", "k"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")];
        let settings = read(&collector).export.otlp.expect("an OTLP destination");
        assert_eq!(headers(&settings), []);
        assert_eq!(warned(&collector), ["HONEYCOMB_API_KEY"]);
        let honeycomb =
            otlp(&[("HONEYCOMB_API_KEY", "k"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.eu1.honeycomb.io")]);
        assert_eq!(headers(&honeycomb), [("x-honeycomb-team", b"k".as_slice())]);
    }

    const XRAY: &str = "https://xray.eu-west-1.amazonaws.com";
    const CREDENTIALS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    fn second(variables: &[(&str, &str)]) -> OtlpSettings {
        let settings = read(variables);
        assert_eq!(settings.warnings(), []);
        settings.export.second_otlp.expect("a second OTLP destination")
    }

    #[test]
    fn second_destination_has_settings_of_its_own() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
            ("HONEYCOMB_API_ENDPOINT", "http://127.0.0.1:4319"),
            ("HONEYCOMB_API_KEY", "k"),
            ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", "http://127.0.0.1:4319/v1/traces"),
            ("LAMBDA_SPANS_SECOND_OTLP_HEADERS", "b=2"),
            ("LAMBDA_SPANS_SECOND_OTLP_COMPRESSION", "none"),
            ("LAMBDA_SPANS_SECOND_OTLP_TIMEOUT", "200"),
            ("LAMBDA_SPANS_SECOND_OTLP_SAMPLE_RATE", "7"),
        ];
        let (first, second) = (otlp(&variables), second(&variables));
        assert_eq!(headers(&first), [("a", b"1".as_slice())]);
        let own = [("b", b"2".as_slice()), ("x-honeycomb-team", b"k")];
        assert_eq!(headers(&second), own);
        assert_eq!((first.compression, second.compression), (Compression::Gzip, Compression::None));
        assert_eq!((first.timeout.as_millis(), second.timeout.as_millis()), (100, 200));
        let sampling = read(&variables).sampling;
        assert_eq!((sampling.one_in, sampling.second_one_in), (1, 7));
        assert_eq!(warned(&[("LAMBDA_SPANS_SECOND_OTLP_HEADERS", "b=2")]), ["LAMBDA_SPANS_SECOND_OTLP_HEADERS"]);
    }

    #[test]
    fn second_honeycomb_replaces_the_default_endpoint() {
        let endpoint = ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", "https://api.eu1.honeycomb.io/v1/traces");
        let settings = read(&[("HONEYCOMB_API_KEY", "k"), endpoint]);
        assert_eq!(settings.warnings(), []);
        assert!(settings.export.otlp.is_none());
        assert_eq!(headers(&settings.export.second_otlp.unwrap()), [("x-honeycomb-team", b"k".as_slice())]);
        // A key of another team.
        let settings =
            read(&[("HONEYCOMB_API_KEY", "k"), endpoint, ("LAMBDA_SPANS_SECOND_OTLP_HEADERS", "x-honeycomb-team=l")]);
        assert_eq!(headers(&settings.export.otlp.unwrap()), [("x-honeycomb-team", b"k".as_slice())]);
        assert_eq!(headers(&settings.export.second_otlp.unwrap()), [("x-honeycomb-team", b"l".as_slice())]);
    }

    #[cfg(feature = "sigv4")]
    #[test]
    fn endpoint_of_xray_is_signed_and_counts_as_xray() {
        let honeycomb = ("HONEYCOMB_API_KEY", "k");
        let [id, secret] = CREDENTIALS;
        let first = read(&[honeycomb, ("OTEL_EXPORTER_OTLP_ENDPOINT", XRAY), id, secret]).export.otlp.unwrap();
        assert_eq!((first.destination, first.signer.is_some()), (Destination::Xray, true));
        assert_eq!(first.endpoint.to_string(), "https://xray.eu-west-1.amazonaws.com/v1/traces");
        assert_eq!(headers(&first), []);
        let traces = format!("{XRAY}/v1/traces");
        let redirected = ("AWS_ENDPOINT_URL_XRAY", "http://127.0.0.1:4319");
        let variables = [honeycomb, ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", &traces), id, secret, redirected];
        let (first, second) = (otlp(&variables), second(&variables));
        assert_eq!((first.destination, first.signer.is_some()), (Destination::Otlp, false));
        assert_eq!((second.destination, second.signer.is_some()), (Destination::Xray, true));
        assert_eq!(second.endpoint.to_string(), "http://127.0.0.1:4319/v1/traces");
    }

    #[test]
    fn unsigned_or_repeated_endpoint_of_xray_is_ignored() {
        let [id, secret] = CREDENTIALS;
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", XRAY);
        let settings = read(&[endpoint, ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000")]);
        assert!(settings.export.otlp.is_none() && settings.export.xray.is_some());
        assert_eq!(warned(&[endpoint]), ["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        let traces = format!("{XRAY}/v1/traces");
        let both = [endpoint, ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", traces.as_str()), id, secret];
        assert!(read(&both).export.second_otlp.is_none());
        assert!(warned(&both).contains(&"LAMBDA_SPANS_SECOND_OTLP_ENDPOINT".to_owned()));
    }

    #[test]
    fn exporter_none_and_sdk_disabled_are_honored() {
        let second = ("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", "http://127.0.0.1:4318/v1/traces");
        let settings = read(&[("HONEYCOMB_API_KEY", "k"), second, ("OTEL_TRACES_EXPORTER", "None")]);
        assert!(settings.export.otlp.is_none() && settings.export.second_otlp.is_none());
        assert!(!read(&[("OTEL_SDK_DISABLED", "True")]).enabled);
    }

    #[test]
    fn words_are_case_insensitive() {
        let settings = read(&[
            ("HONEYCOMB_API_KEY", "k"),
            ("LAMBDA_SPANS_FLUSH", "END"),
            ("LAMBDA_SPANS_CONTEXT", "Caller"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/protobuf"),
            ("AWS_LAMBDA_LOG_LEVEL", "FATAL"),
        ]);
        assert_eq!(settings.warnings(), []);
        assert_eq!((settings.flush, settings.context), (FlushMode::End, ContextMode::Caller));
    }

    #[test]
    fn service_version_is_read_or_set_in_code() {
        let version = |variables| {
            read(variables).with_default_service_version("1.0").resource.service_version.expect("a version")
        };
        assert_eq!(version(&[]), "1.0");
        assert_eq!(version(&[("OTEL_RESOURCE_ATTRIBUTES", "service.version=2.0")]), "2.0");
        let resource = read(&[("OTEL_RESOURCE_ATTRIBUTES", "service.version=2.0")]).resource.resource();
        assert_eq!(resource.get(&"service.version".into()).map(|value| value.to_string()).as_deref(), Some("2.0"));
    }

    #[test]
    fn resource_attributes_cannot_weigh_events() {
        let variables = [("OTEL_RESOURCE_ATTRIBUTES", "sampleRate=50,team=a,service.name=api")];
        let resource = read(&variables).resource.resource();
        let value = |key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
        assert_eq!(value("sampleRate"), None);
        assert_eq!(value("field.sampleRate").as_deref(), Some("50"));
        assert_eq!((value("team").as_deref(), value("service.name").as_deref()), (Some("a"), Some("api")));
        assert_eq!(warned(&variables), ["OTEL_RESOURCE_ATTRIBUTES"]);
    }

    #[test]
    fn service_version_in_code_takes_precedence() {
        let variables = [("OTEL_RESOURCE_ATTRIBUTES", "service.version=2.0")];
        let version = |settings: Settings| settings.resource.service_version.expect("a version");
        assert_eq!(version(read(&variables).with_service_version("3.0")), "3.0");
        let both = read(&variables).with_service_version("3.0").with_default_service_version("1.0");
        assert_eq!(version(both), "3.0");
    }

    #[test]
    fn resource_attributes_in_code_take_precedence() {
        let variables = [("OTEL_RESOURCE_ATTRIBUTES", "team=a,stage=test"), ("OTEL_SERVICE_NAME", "variable")];
        let settings = read(&variables)
            .with_resource_attribute("team", "b")
            .with_resource_attribute("shard", 7)
            .with_resource_attribute("sampleRate", 50)
            .with_resource_attribute("service.name", "code")
            .with_resource_attribute("service.version", "4.0");
        let resource = settings.resource.resource();
        let value = |key: &'static str| resource.get(&key.into());
        for (key, expected) in [("team", "b"), ("stage", "test"), ("service.name", "code"), ("service.version", "4.0")]
        {
            assert_eq!(value(key), Some(expected.into()), "{key}");
        }
        assert_eq!((value("shard"), value("sampleRate")), (Some(7.into()), None));
        assert_eq!(value("field.sampleRate"), Some(50.into()));
    }

    #[test]
    fn general_limit_applies_to_all_attributes() {
        let limits = |variables| {
            let limits = read(variables).limits;
            let attributes = [limits.attributes, limits.event_attributes, limits.link_attributes];
            (attributes, [limits.events, limits.links])
        };
        assert_eq!(limits(&[]), ([128; 3], [128; 2]));
        assert_eq!(limits(&[("OTEL_ATTRIBUTE_COUNT_LIMIT", "7")]), ([7; 3], [128; 2]));
        let specific = [
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2"),
            ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "3"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "4"),
        ];
        assert_eq!(limits(&specific), ([1, 2, 0], [3, 4]));
    }

    #[test]
    fn warning_of_a_filter_names_the_entry() {
        let problem = |filter| {
            let settings = read(&[("LAMBDA_SPANS_FILTER", filter)]);
            let is_set = settings.span_filter.is_some();
            let problems: Vec<_> = settings.warnings().iter().map(|warning| warning.problem.clone()).collect();
            (is_set, problems)
        };
        assert_eq!(problem("info, shop=debug,[request{tenant=acme}]=trace"), (true, vec![]));
        let (is_set, problems) = problem("info,shop=loud");
        assert!(!is_set && problems[0].contains("entry 2"), "{problems:?}");
        let (is_set, problems) = problem("info,hyper=debug,tower=off");
        assert!(is_set && problems.len() == 1 && problems[0].contains("entry 2"), "{problems:?}");
    }

    #[test]
    fn cloned_settings_keep_their_hooks() {
        let settings = read(&[]).with_span_hook(|span| span.set_name("first")).clone();
        let settings = settings.with_span_hook(|span| span.set_name(format!("{} second", span.name())));
        let mut span = crate::trace::tree::tests::span(1, 0, 1);
        settings.hook.apply(&mut span);
        assert_eq!(span.name, "first second");
    }

    #[test]
    fn traces_are_drawn_under_sam_local_only() {
        assert!(read(&[("AWS_SAM_LOCAL", "true")]).export.terminal.is_some());
        assert!(read(&[("AWS_LAMBDA_FUNCTION_NAME", "api")]).export.terminal.is_none());
    }

    #[test]
    fn exception_messages_stay_out_of_spans_in_lambda() {
        let messages = |api, value| {
            let variables = [("AWS_LAMBDA_RUNTIME_API", api), ("LAMBDA_SPANS_EXCEPTION_MESSAGE", value)];
            read(&variables).exception_messages
        };
        assert_eq!(messages("127.0.0.1:9001", ""), ExceptionMessages::Log);
        assert_eq!(messages("", ""), ExceptionMessages::All);
        assert_eq!(messages("127.0.0.1:9001", "none"), ExceptionMessages::None);
        assert_eq!(messages("127.0.0.1:9001", "all"), ExceptionMessages::All);
    }

    #[test]
    fn both_forms_of_the_daemon_address_are_parsed() {
        let address = |value| read(&[("AWS_XRAY_DAEMON_ADDRESS", value)]).export.xray.map(|xray| xray.daemon);
        assert_eq!(address("169.254.79.129:2000").as_deref(), Some("169.254.79.129:2000"));
        assert_eq!(address("xray-daemon:2000").as_deref(), Some("xray-daemon:2000"));
        assert_eq!(address("tcp:127.0.0.1:1999 udp:127.0.0.2:2000").as_deref(), Some("127.0.0.2:2000"));
    }

    #[test]
    fn every_variable_is_documented() {
        let documented = include_str!("../../docs/settings.md");
        let asked = std::cell::RefCell::new(Vec::new());
        Settings::from_lookup(|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
        // Variables that Lambda sets are not settings.
        let ours = asked.into_inner().into_iter().filter(|name| {
            !(name.starts_with("AWS_LAMBDA_") && name != "AWS_LAMBDA_LOG_LEVEL" || name == "AWS_REGION")
        });
        for name in ours {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn default_service_name_yields_to_the_variable() {
        let named = |variables| read(variables).with_default_service_name("code").resource.service_name;
        assert_eq!(named(&[("OTEL_SERVICE_NAME", "variable")]).as_deref(), Some("variable"));
        assert_eq!(named(&[]).as_deref(), Some("code"));
    }

    #[test]
    fn debug_output_hides_secrets() {
        let settings = read(&[
            ("HONEYCOMB_API_KEY", "canary-key"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-header"),
            ("LAMBDA_SPANS_SAMPLE_KEY", "canary-sample"),
        ]);
        let spans = crate::Spans::new(&settings);
        let shown = format!("{settings:?} {spans:?}");
        assert!(shown.contains("api.honeycomb.io") && !shown.contains("canary"), "{shown}");
    }

    /// Each variable with a value that cannot be used.
    const UNUSABLE: [(&str, &str); 25] = [
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ("HONEYCOMB_API_KEY", "a\ncanary"),
        ("AWS_XRAY_DAEMON_ADDRESS", "localhost"),
        ("HTTPS_PROXY", "socks5://user:canary@proxy"),
        ("LAMBDA_SPANS_BUDGET_MS", "soon"),
        ("LAMBDA_SPANS_SAMPLE_RATE", "0"),
        ("LAMBDA_SPANS_FLUSH", "later"),
        ("LAMBDA_SPANS_CONTEXT", "both"),
        ("LAMBDA_SPANS_LOG_BUFFER", "info"),
        ("RUST_LOG", "my_crate=loud"),
        ("LAMBDA_SPANS_FILTER", "info,my_crate=loud"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1.5"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "none"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "x"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0x10"),
    ];

    #[test]
    fn unusable_values_are_warnings_and_defaults_apply() {
        let settings = read(&UNUSABLE);
        let mut warned: Vec<_> = settings.warnings().iter().map(|warning| warning.variable.as_str()).collect();
        warned.sort_unstable();
        let mut expected = UNUSABLE.map(|(name, _)| name);
        expected.sort_unstable();
        assert_eq!(warned, expected);
        for warning in settings.warnings() {
            let (_, value) = UNUSABLE.iter().find(|(name, _)| *name == warning.variable).expect("one of them");
            assert!(value.contains("canary") || value == &"team" || warning.problem.contains(value), "{warning}");
            assert!(!warning.problem.contains("canary"), "{warning}");
        }
        let default = read(&[]);
        assert_eq!(format!("{settings:?}"), format!("{default:?}"));
        assert_eq!((settings.budget, settings.flush), (default.budget, default.flush));
        assert_eq!(settings.sampling.one_in, 1);
    }

    #[test]
    fn unusable_specific_variable_yields_to_the_general_one() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "nowhere"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ];
        let otlp = read(&variables).export.otlp.expect("an OTLP destination");
        assert_eq!(otlp.compression, Compression::None);
        assert_eq!(warned(&variables), ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"]);
    }

    #[test]
    fn settings_without_a_destination_are_warnings() {
        for variable in
            [("OTEL_EXPORTER_OTLP_HEADERS", "a=b"), ("HONEYCOMB_API_ENDPOINT", "https://api.eu1.honeycomb.io")]
        {
            assert_eq!(warned(&[variable]), [variable.0]);
        }
        let plain = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", lambda_harness::DistantEndpoint::certificate()),
        ];
        assert_eq!(warned(&plain), ["OTEL_EXPORTER_OTLP_CERTIFICATE"]);
    }

    #[test]
    fn unsupported_variables_are_warnings() {
        for name in [
            "OTEL_TRACES_SAMPLER",
            "OTEL_PROPAGATORS",
            "OTEL_BSP_SCHEDULE_DELAY",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
            "OTEL_EXPORTER_OTLP_INSECURE",
            "HONEYCOMB_DATASET",
        ] {
            assert_eq!(warned(&[(name, "x")]), [name]);
        }
        // Lambda sets it.
        assert_eq!(warned(&[("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR")]), Vec::<String>::new());
    }
}
