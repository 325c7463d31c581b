//! Selects the spans that are recorded: by default those of level INFO and above, otherwise by `LAMBDA_SPANS_FILTER`.

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
#[cfg(feature = "env-filter")]
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
#[cfg(any(test, not(feature = "env-filter")))]
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Filter};

use crate::variables::{Reader, shown};

/// The filter that the variable contains.
#[cfg(feature = "env-filter")]
pub(crate) type ChosenFilter = EnvFilter;
/// The same without the regular expressions of `EnvFilter`, which make the binary larger.
#[cfg(not(feature = "env-filter"))]
pub(crate) type ChosenFilter = Targets;

const VARIABLE: &str = "LAMBDA_SPANS_FILTER";
/// The target of this crate's own spans.
const LIBRARY: &str = "lambda_spans";

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

/// Splits a target into the crate and the path in the crate.
fn crate_of(target: &str) -> (&str, &str) {
    target.split_once("::").unwrap_or((target, ""))
}

fn is_internal(target: &str) -> bool {
    let (name, path) = crate_of(target);
    // AWS has hundreds of services. The crate of each creates its spans in these modules.
    let is_operation = path.starts_with("operation::") || path.starts_with("client::");
    INTERNAL.contains(&name) || (is_operation && name.starts_with("aws_sdk_"))
}

/// Returns whether the span is one of this crate's own: invocations, requests, and calls of instrumented clients. Every
/// trace needs its root, and the program selects the clients in its code.
fn is_of_library(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO && crate_of(metadata.target()).0 == LIBRARY
}

/// Reads the program's own filter.
pub(crate) fn read(reader: &mut Reader<'_>) -> Option<ChosenFilter> {
    let entries = reader.text(VARIABLE).unwrap_or_default();
    let filter = reader.parsed(&[VARIABLE], parse)?;
    for (position, entry) in numbered(&entries) {
        let target = entry.split(['=', '[']).next().unwrap_or_default();
        if is_internal(target) && !entry.ends_with("=off") {
            let problem = format!("entry {position} has no effect: spans of {} are never recorded", shown(target));
            reader.warn(VARIABLE, problem);
        }
    }
    Some(filter)
}

/// Returns the entries of a list with their positions, from 1.
fn numbered(entries: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(entries.split(',').map(str::trim)).filter(|(_, entry)| !entry.is_empty())
}

fn parse(value: &str) -> Result<ChosenFilter, String> {
    for (position, entry) in numbered(value) {
        directives(entry).map_err(|problem| {
            format!(
                "found {}; entry {position} is invalid: {problem}; allowed are directives of EnvFilter, such as \
                 `info,my_crate=debug`",
                shown(value)
            )
        })?;
    }
    let entries: Vec<_> = numbered(value).map(|(_, entry)| entry).collect();
    // Each entry is valid.
    directives(&entries.join(","))
}

#[cfg(feature = "env-filter")]
fn directives(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|problem| problem.to_string())
}

#[cfg(not(feature = "env-filter"))]
fn directives(text: &str) -> Result<Targets, String> {
    targets(text)
}

/// Reads directives with levels and targets.
#[cfg(any(test, not(feature = "env-filter")))]
fn targets(text: &str) -> Result<Targets, String> {
    if text.contains(['[', '{']) {
        return Err("directives with spans or fields need the feature `env-filter` of lambda-spans".to_owned());
    }
    text.parse::<Targets>().map_err(|problem| problem.to_string())
}

/// The filter of a layer of this crate.
pub(crate) struct SpanFilter {
    enabled: bool,
    /// The program's own filter. It has a state, so each layer needs its own copy.
    chosen: Option<ChosenFilter>,
    /// Whether the layer also receives `ERROR` events.
    error_events: bool,
}

impl SpanFilter {
    pub(crate) fn new(enabled: bool, chosen: Option<ChosenFilter>) -> Self {
        Self { enabled, chosen, error_events: false }
    }

    /// Also selects `ERROR` events.
    pub(crate) fn with_error_events(mut self) -> Self {
        self.error_events = true;
        self
    }

    /// Returns whether the filter decides about this span or event. Internal crates and other events are excluded.
    fn is_eligible(&self, metadata: &Metadata<'_>) -> bool {
        let kind = metadata.is_span() || (self.error_events && *metadata.level() == Level::ERROR);
        self.enabled && kind && !is_internal(metadata.target())
    }

    /// Returns the program's own filter if it decides about this span.
    fn chosen(&self, metadata: &Metadata<'_>) -> Option<&ChosenFilter> {
        self.chosen.as_ref().filter(|_| metadata.is_span())
    }
}

impl<S> Filter<S> for SpanFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        self.is_eligible(metadata)
            && match self.chosen(metadata) {
                Some(chosen) => is_of_library(metadata) || Filter::<S>::enabled(chosen, metadata, context),
                None => *metadata.level() <= Level::INFO,
            }
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if !self.is_eligible(metadata) {
            return Interest::never();
        }
        let Some(chosen) = self.chosen(metadata) else {
            let is_recorded = *metadata.level() <= Level::INFO;
            return if is_recorded { Interest::always() } else { Interest::never() };
        };
        // Also asked for this crate's spans, because a directive may select what is inside of them.
        let interest = Filter::<S>::callsite_enabled(chosen, metadata);
        if is_of_library(metadata) { Interest::always() } else { interest }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        match &self.chosen {
            Some(chosen) => Filter::<S>::max_level_hint(chosen).map(|hint| hint.max(LevelFilter::INFO)),
            None => Some(LevelFilter::INFO),
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(chosen) = &self.chosen {
            Filter::<S>::on_new_span(chosen, attributes, id, context);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(chosen) = &self.chosen {
            Filter::<S>::on_record(chosen, id, values, context);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(chosen) = &self.chosen {
            Filter::<S>::on_enter(chosen, id, context);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(chosen) = &self.chosen {
            Filter::<S>::on_exit(chosen, id, context);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(chosen) = &self.chosen {
            Filter::<S>::on_close(chosen, id, context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_without_the_feature_has_levels_and_targets() {
        let filter = targets("info,shop=debug,sqlx=off").expect("a filter");
        let selects = |target, level| filter.would_enable(target, &level);
        assert!(selects("shop::cart", Level::DEBUG) && selects("other", Level::INFO));
        assert!(!selects("shop", Level::TRACE) && !selects("other", Level::DEBUG) && !selects("sqlx", Level::ERROR));
        for unsupported in ["[request]=debug", "info,[request{tenant=acme}]=debug", "shop[{id}]=debug", "shop=loud"] {
            assert!(targets(unsupported).is_err(), "{unsupported}");
        }
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
}
