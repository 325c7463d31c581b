//! The settings of the OTLP destination.

use std::collections::HashMap;
use std::time::Duration;

use super::compression::Compression;
use super::honeycomb_key::KeyParameter;
use crate::variables::Reader;

const TRACES_PATH: &str = "/v1/traces";
const HONEYCOMB_ENDPOINT: &str = "https://api.honeycomb.io";
pub(super) const HONEYCOMB_HEADER: &str = "x-honeycomb-team";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct OtlpSettings {
    pub(crate) endpoint: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) compression: Compression,
    pub(crate) timeout: Duration,
    /// Where to read the key if it is not among the headers.
    pub(crate) key: Option<KeyParameter>,
}

impl OtlpSettings {
    /// Reads the OTLP destination from the environment, if there is one.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let honeycomb_endpoint = reader.url("HONEYCOMB_API_ENDPOINT");
        let honeycomb_key = reader.text("HONEYCOMB_API_KEY");
        let parameter = KeyParameter::read(reader).filter(|_| honeycomb_key.is_none());
        let general = reader.url("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| traces_url(&base));
        let endpoint = reader.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(general);
        let mut headers = reader.pairs("OTEL_EXPORTER_OTLP_HEADERS");
        headers.extend(reader.pairs("OTEL_EXPORTER_OTLP_TRACES_HEADERS"));
        let compression = reader.choice(
            &["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"],
            &Compression::CHOICES,
        );
        reader.choice(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"], &[("http/protobuf", ())]);
        let timeout = reader.milliseconds(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]);
        let enabled = reader.choice(&["OTEL_TRACES_EXPORTER"], &[("otlp", true), ("none", false)]);

        let honeycomb = || traces_url(honeycomb_endpoint.as_deref().unwrap_or(HONEYCOMB_ENDPOINT));
        let endpoint =
            if honeycomb_key.is_some() || parameter.is_some() { endpoint.unwrap_or_else(honeycomb) } else { endpoint? };
        let to_honeycomb = endpoint == honeycomb() || is_honeycomb(&endpoint);
        if let Some(key) = honeycomb_key.filter(|_| to_honeycomb) {
            headers.entry(HONEYCOMB_HEADER.to_owned()).or_insert(key);
        }
        enabled.unwrap_or(true).then(|| Self {
            endpoint,
            headers,
            compression: compression.unwrap_or_default(),
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
            key: parameter.filter(|_| to_honeycomb),
        })
    }
}

fn traces_url(base: &str) -> String {
    format!("{}{TRACES_PATH}", base.trim_end_matches('/'))
}

/// The key is shared with Honeycomb only; another receiver never gets it.
fn is_honeycomb(endpoint: &str) -> bool {
    endpoint.parse::<http::Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| host.ends_with(".honeycomb.io"))
    })
}
