//! OTLP over HTTP: Honeycomb, or any OpenTelemetry collector.

mod client;

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry_otlp::{
    Compression, ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use crate::invocation::Finished;
use crate::propagation;
use crate::settings::parse::Reader;
use client::Client;

const TRACES_PATH: &str = "/v1/traces";
const HONEYCOMB_ENDPOINT: &str = "https://api.honeycomb.io";
const HONEYCOMB_HEADER: &str = "x-honeycomb-team";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtlpSettings {
    pub(crate) endpoint: String,
    pub(crate) headers: HashMap<String, String>,
    gzip: bool,
    timeout: Duration,
}

impl OtlpSettings {
    /// The OTLP destination that the environment names, if any.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let honeycomb_endpoint = reader.url("HONEYCOMB_API_ENDPOINT");
        let honeycomb_key = reader.text("HONEYCOMB_API_KEY");
        let general = reader.url("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| under(&base));
        let endpoint = reader.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(general);
        let mut headers = reader.pairs("OTEL_EXPORTER_OTLP_HEADERS");
        headers.extend(reader.pairs("OTEL_EXPORTER_OTLP_TRACES_HEADERS"));
        let compression = reader
            .word(&["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"], &["gzip", "none"]);
        reader.word(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"], &["http/protobuf"]);
        let timeout = reader.milliseconds(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]);
        let exporter = reader.word(&["OTEL_TRACES_EXPORTER"], &["otlp", "none"]);

        let honeycomb = || under(honeycomb_endpoint.as_deref().unwrap_or(HONEYCOMB_ENDPOINT));
        let endpoint = match &honeycomb_key {
            Some(_) => endpoint.unwrap_or_else(honeycomb),
            None => endpoint?,
        };
        if let Some(key) = honeycomb_key.filter(|_| endpoint == honeycomb() || is_honeycomb(&endpoint)) {
            headers.entry(HONEYCOMB_HEADER.to_owned()).or_insert(key);
        }
        (exporter.as_deref() != Some("none")).then(|| Self {
            endpoint,
            headers,
            gzip: compression.as_deref() != Some("none"),
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }
}

fn under(base: &str) -> String {
    format!("{}{TRACES_PATH}", base.trim_end_matches('/'))
}

/// The key is a secret of its owner and Honeycomb; another receiver never gets it.
fn is_honeycomb(endpoint: &str) -> bool {
    endpoint.parse::<http::Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| host.ends_with(".honeycomb.io"))
    })
}

/// Sends spans by OTLP/HTTP in protobuf.
#[derive(Debug)]
pub(crate) struct Otlp {
    exporter: SpanExporter,
}

impl Otlp {
    pub(crate) fn new(settings: OtlpSettings, resource: &Resource) -> Result<Self, ExporterBuildError> {
        let mut builder = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(settings.timeout))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint)
            .with_headers(settings.headers)
            .with_timeout(settings.timeout)
            // Its retries sleep on the thread that the handler runs on.
            .with_retry_policy(RetryPolicy::disabled());
        if settings.gzip {
            builder = builder.with_compression(Compression::Gzip);
        }
        let mut exporter = builder.build()?;
        exporter.set_resource(resource);
        Ok(Self { exporter })
    }

    pub(crate) async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.exporter.export(batch).await
    }
}

/// The spans as OTLP gets them: Lambda's own segment, the parent in X-Ray, never arrives there, so that
/// the invocation's span is the root, or the child of the caller whose trace goes on.
pub(crate) fn otlp_spans(mut finished: Vec<Finished>) -> Vec<SpanData> {
    for Finished { caller, spans, .. } in &mut finished {
        for span in spans {
            if let Some(caller) = &caller {
                propagation::continue_over_otlp(span, caller);
            } else if span.parent_span_is_remote {
                span.parent_span_id = opentelemetry::trace::SpanId::INVALID;
                span.parent_span_is_remote = false;
            }
        }
    }
    finished.into_iter().flat_map(|finished| finished.spans).collect()
}
