//! The settings of tracing: environment variables, read once.

use std::fmt;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::flush::FlushMode;
use crate::export::pipeline::ExportSettings;
use crate::export::resource::ResourceSettings;
use crate::propagation::ContextMode;
use crate::trace::exception::ExceptionMessages;
use crate::trace::sampling::SamplingSettings;
use crate::variables::{self, Reader, SettingsError};

/// With the breaker's pauses, a receiver that never responds costs less than 5 ms per invocation, averaged over 200.
const DEFAULT_BUDGET: Duration = Duration::from_millis(500);
const DEFAULT_LOG_LEVEL: LevelFilter = LevelFilter::INFO;
const MESSAGES: [(&str, ExceptionMessages); 3] =
    [("none", ExceptionMessages::None), ("log", ExceptionMessages::Log), ("all", ExceptionMessages::All)];

/// The settings of tracing, read once from the environment.
///
#[doc = include_str!("../../docs/settings.md")]
#[derive(Clone)]
pub struct Settings {
    pub(crate) enabled: bool,
    pub(crate) export: ExportSettings,
    pub(crate) resource: ResourceSettings,
    pub(crate) budget: Duration,
    pub(crate) flush: FlushMode,
    pub(crate) initialization: Option<String>,
    pub(crate) concurrency: u64,
    pub(crate) runtime_api: Option<String>,
    pub(crate) sampling: SamplingSettings,
    pub(crate) context: ContextMode,
    pub(crate) client_address: bool,
    pub(crate) exception_messages: ExceptionMessages,
    pub(crate) log_filter: Targets,
    pub(crate) log_buffer: Option<LevelFilter>,
    pub(crate) warnings: Vec<String>,
}

/// Shows where spans go, but no headers and keys, which are secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("enabled", &self.enabled)
            .field("otlp", &self.export.otlp.as_ref().map(|otlp| &otlp.endpoint))
            .field("xray_daemon", &self.export.xray.as_ref().map(|xray| &xray.daemon))
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns all invalid settings together.
    pub fn from_env() -> Result<Self, Vec<SettingsError>> {
        Self::from_lookup(variables::process_variable)
    }

    /// Reads the settings through `get`, which returns the value of a variable.
    ///
    /// An empty value counts as unset.
    ///
    /// # Errors
    /// Returns all invalid settings together.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingsError>> {
        let mut reader = Reader::new(&get);
        let settings = Self {
            enabled: !reader.flag("OTEL_SDK_DISABLED"),
            export: ExportSettings::read(&mut reader),
            resource: ResourceSettings::read(&mut reader),
            budget: reader.milliseconds(&["LAMBDA_SPANS_BUDGET_MS"]).unwrap_or(DEFAULT_BUDGET),
            flush: reader
                .choice(&["LAMBDA_SPANS_FLUSH"], &[("end", FlushMode::End), ("adaptive", FlushMode::Adaptive)])
                .unwrap_or_default(),
            initialization: reader.text("AWS_LAMBDA_INITIALIZATION_TYPE"),
            concurrency: reader.count("AWS_LAMBDA_MAX_CONCURRENCY").unwrap_or(1),
            runtime_api: reader.text("AWS_LAMBDA_RUNTIME_API"),
            sampling: SamplingSettings {
                one_in: reader.count("LAMBDA_SPANS_SAMPLE_RATE").unwrap_or(1),
                keep_slower_than: reader.milliseconds(&["LAMBDA_SPANS_KEEP_SLOWER_THAN_MS"]),
                key: reader.text("LAMBDA_SPANS_SAMPLE_KEY"),
            },
            context: reader
                .choice(&["LAMBDA_SPANS_CONTEXT"], &[("xray", ContextMode::Xray), ("caller", ContextMode::Caller)])
                .unwrap_or_default(),
            client_address: false,
            exception_messages: reader.choice(&["LAMBDA_SPANS_EXCEPTION_MESSAGE"], &MESSAGES).unwrap_or(
                match reader.text("AWS_LAMBDA_RUNTIME_API") {
                    Some(_) => ExceptionMessages::Log,
                    None => ExceptionMessages::All,
                },
            ),
            log_filter: reader.log_filter().unwrap_or_else(|| Targets::new().with_default(DEFAULT_LOG_LEVEL)),
            log_buffer: reader
                .choice(&["LAMBDA_SPANS_LOG_BUFFER"], &[("debug", LevelFilter::DEBUG), ("trace", LevelFilter::TRACE)]),
            warnings: reader.without_effect(&[
                ("OTEL_TRACES_SAMPLER", "LAMBDA_SPANS_SAMPLE_RATE"),
                ("OTEL_PROPAGATORS", "LAMBDA_SPANS_CONTEXT"),
            ]),
        };
        reader.finish(settings)
    }

    /// Prints each trace as a tree with durations on standard error, and log lines as plain text.
    #[must_use]
    pub fn with_terminal(mut self) -> Self {
        self.export.terminal = true;
        self
    }

    /// Records the client's address as `client.address`. It is personal data in many jurisdictions.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn with_client_address(mut self) -> Self {
        self.client_address = true;
        self
    }

    /// Sets the service's name if the environment has none.
    #[must_use]
    pub fn with_default_service_name(mut self, name: &str) -> Self {
        self.resource.service_name.get_or_insert_with(|| name.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::settings::OtlpSettings;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<SettingsError>> {
        Settings::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn otlp(variables: &[(&str, &str)]) -> OtlpSettings {
        read(variables).expect("valid").export.otlp.expect("an OTLP destination")
    }

    #[test]
    fn no_variables_give_no_destination() {
        let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).expect("valid");
        assert!(settings.export.otlp.is_none());
        assert!(settings.export.xray.is_none());
        assert!(settings.enabled);
        assert_eq!(settings.budget, Duration::from_millis(500));
    }

    #[test]
    fn only_a_general_endpoint_gets_the_traces_path() {
        assert_eq!(
            otlp(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/")]).endpoint,
            "http://127.0.0.1:4318/v1/traces"
        );
        assert_eq!(
            otlp(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/x"),
            ])
            .endpoint,
            "http://collector/x"
        );
    }

    #[test]
    fn headers_are_decoded_and_traces_headers_win() {
        let settings = otlp(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1, b=two%20words"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=2"),
        ]);
        assert_eq!(
            settings.headers,
            [("a".to_owned(), "2".to_owned()), ("b".to_owned(), "two words".to_owned())].into()
        );
    }

    #[test]
    fn honeycomb_key_alone_is_enough() {
        let settings = otlp(&[("HONEYCOMB_API_KEY", "k")]);
        assert_eq!(settings.endpoint, "https://api.honeycomb.io/v1/traces");
        assert_eq!(settings.headers, [("x-honeycomb-team".to_owned(), "k".to_owned())].into());
        let eu = otlp(&[("HONEYCOMB_API_KEY", "k"), ("HONEYCOMB_API_ENDPOINT", "https://api.eu1.honeycomb.io/")]);
        assert_eq!(eu.endpoint, "https://api.eu1.honeycomb.io/v1/traces");
    }

    #[test]
    fn honeycomb_key_is_sent_to_honeycomb_only() {
        let settings = otlp(&[("HONEYCOMB_API_KEY", "k"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")]);
        assert_eq!(settings.headers, [].into());
        let honeycomb =
            otlp(&[("HONEYCOMB_API_KEY", "k"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.eu1.honeycomb.io")]);
        assert_eq!(honeycomb.headers, [("x-honeycomb-team".to_owned(), "k".to_owned())].into());
    }

    #[test]
    fn exporter_none_and_sdk_disabled_are_honored() {
        let settings = read(&[("HONEYCOMB_API_KEY", "k"), ("OTEL_TRACES_EXPORTER", "none")]).expect("valid");
        assert!(settings.export.otlp.is_none());
        assert!(!read(&[("OTEL_SDK_DISABLED", "True")]).expect("valid").enabled);
    }

    #[test]
    fn traces_are_drawn_under_sam_local_only() {
        assert!(read(&[("AWS_SAM_LOCAL", "true")]).expect("valid").export.terminal);
        assert!(!read(&[("AWS_LAMBDA_FUNCTION_NAME", "api")]).expect("valid").export.terminal);
    }

    #[test]
    fn exception_messages_stay_out_of_spans_in_lambda() {
        let messages = |api, value| {
            let variables = [("AWS_LAMBDA_RUNTIME_API", api), ("LAMBDA_SPANS_EXCEPTION_MESSAGE", value)];
            read(&variables).expect("valid").exception_messages
        };
        assert_eq!(messages("127.0.0.1:9001", ""), ExceptionMessages::Log);
        assert_eq!(messages("", ""), ExceptionMessages::All);
        assert_eq!(messages("127.0.0.1:9001", "none"), ExceptionMessages::None);
        assert_eq!(messages("127.0.0.1:9001", "all"), ExceptionMessages::All);
    }

    #[test]
    fn both_forms_of_the_daemon_address_are_parsed() {
        let address =
            |value| read(&[("AWS_XRAY_DAEMON_ADDRESS", value)]).expect("valid").export.xray.map(|xray| xray.daemon);
        assert_eq!(address("169.254.79.129:2000").as_deref(), Some("169.254.79.129:2000"));
        assert_eq!(address("xray-daemon:2000").as_deref(), Some("xray-daemon:2000"));
        assert_eq!(address("tcp:127.0.0.1:1999 udp:127.0.0.2:2000").as_deref(), Some("127.0.0.2:2000"));
    }

    #[test]
    fn every_variable_is_documented() {
        let documented = include_str!("../../docs/settings.md");
        let asked = std::cell::RefCell::new(Vec::new());
        let settings = Settings::from_lookup(|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
        assert!(settings.is_ok());
        // Variables that Lambda sets are not settings.
        let ours = asked.into_inner().into_iter().filter(|name| {
            !(name.starts_with("AWS_LAMBDA_") && name != "AWS_LAMBDA_LOG_LEVEL" || name == "AWS_REGION")
        });
        for name in ours.filter(|name| !["OTEL_TRACES_SAMPLER", "OTEL_PROPAGATORS"].contains(&name.as_str())) {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn default_service_name_yields_to_the_variable() {
        let named = |variables| read(variables).expect("valid").with_default_service_name("code").resource.service_name;
        assert_eq!(named(&[("OTEL_SERVICE_NAME", "variable")]).as_deref(), Some("variable"));
        assert_eq!(named(&[]).as_deref(), Some("code"));
    }

    #[test]
    fn debug_output_hides_secrets() {
        let settings = read(&[
            ("HONEYCOMB_API_KEY", "canary-key"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-header"),
            ("LAMBDA_SPANS_SAMPLE_KEY", "canary-sample"),
        ])
        .expect("valid");
        let spans = crate::Spans::new(&settings).expect("destinations");
        let shown = format!("{settings:?} {spans:?}");
        assert!(shown.contains("api.honeycomb.io") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn all_invalid_settings_are_reported_together() {
        let faults = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team"),
            ("AWS_XRAY_DAEMON_ADDRESS", "localhost"),
            ("LAMBDA_SPANS_BUDGET_MS", "soon"),
        ])
        .expect_err("seven faults");
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "OTEL_EXPORTER_OTLP_ENDPOINT: `collector:4318` is not a URL; it must begin with http:// or https:// and name a host",
                "OTEL_EXPORTER_OTLP_HEADERS: entry 1 has no `=`; write `key=value,key=value`",
                "OTEL_EXPORTER_OTLP_COMPRESSION: found `zstd`; allowed are `gzip`, `none`",
                "OTEL_EXPORTER_OTLP_PROTOCOL: found `grpc`; allowed are `http/protobuf`",
                "AWS_XRAY_DAEMON_ADDRESS: `localhost` has no port; write `host:port`, or `tcp:host:port udp:host:port`",
                "OTEL_RESOURCE_ATTRIBUTES: entry 1 has no `=`; write `key=value,key=value`",
                "LAMBDA_SPANS_BUDGET_MS: `soon` is not a whole number of milliseconds",
            ]
        );
    }
}
