//! The settings of the OTLP destinations.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};

use super::compression::Compression;
use super::honeycomb_key::KeyParameter;
use super::signer::Signer;
use super::{root_certificates, xray_endpoint};
use crate::trace::accounting::Destination;
use crate::variables::url::Url;
use crate::variables::{Reader, shown};

const TRACES_PATH: &str = "/v1/traces";
const SECOND_ENDPOINT: &str = "LAMBDA_SPANS_SECOND_OTLP_ENDPOINT";
/// A receiver with the interface of X-Ray, such as a VPC endpoint.
const XRAY_ENDPOINT: &str = "AWS_ENDPOINT_URL_XRAY";
const HONEYCOMB_ENDPOINT: &str = "https://api.honeycomb.io";
pub(super) const HONEYCOMB_HEADER: &str = "x-honeycomb-team";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Honeycomb cuts longer strings.
const DEFAULT_VALUE_LENGTH: usize = 64 * 1024;

/// Headers that describe the request itself.
const OF_THE_REQUEST: [HeaderName; 5] = [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING];

/// Variables of other exporters that have no effect here, each with what to use instead.
const UNSUPPORTED: [(&str, &str); 13] = [
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", WITHOUT_CLIENT_CERTIFICATE),
    ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", WITHOUT_CLIENT_CERTIFICATE),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", WITHOUT_CLIENT_CERTIFICATE),
    ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", WITHOUT_CLIENT_CERTIFICATE),
    ("OTEL_EXPORTER_OTLP_INSECURE", SCHEME_DECIDES),
    ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", SCHEME_DECIDES),
    ("OTEL_BSP_SCHEDULE_DELAY", "LAMBDA_SPANS_FLUSH selects when spans are sent"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "LAMBDA_SPANS_BUDGET_MS limits an export"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "the queue has a fixed limit"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "requests have a fixed limit"),
    ("HONEYCOMB_TRACES_APIKEY", "set HONEYCOMB_API_KEY"),
    ("HONEYCOMB_TRACES_ENDPOINT", "set HONEYCOMB_API_ENDPOINT"),
    (
        "HONEYCOMB_DATASET",
        "the service name selects the dataset; for a classic key, add the header `x-honeycomb-dataset` to \
         OTEL_EXPORTER_OTLP_HEADERS",
    ),
];
const WITHOUT_CLIENT_CERTIFICATE: &str =
    "authenticate with a header in OTEL_EXPORTER_OTLP_HEADERS, or send to a collector that presents the certificate";
const SCHEME_DECIDES: &str = "the scheme of the endpoint, http:// or https://, selects whether TLS is used";

#[derive(Clone, Debug)]
pub(crate) struct OtlpSettings {
    /// Which account the spans belong to. X-Ray if the endpoint is X-Ray's own.
    pub(crate) destination: Destination,
    pub(crate) endpoint: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) compression: Compression,
    pub(crate) timeout: Duration,
    /// The PEM certificates to trust instead of the system's root certificates.
    pub(crate) certificates: Option<Vec<u8>>,
    /// The maximum length of a string value, in bytes.
    pub(crate) value_length: usize,
    /// Where to read the key if it is not among the headers.
    pub(crate) key: Option<KeyParameter>,
    /// Signs each request.
    pub(crate) signer: Option<Signer>,
}

impl OtlpSettings {
    /// Reads the first and the second OTLP destination from the environment.
    pub(crate) fn read(reader: &mut Reader<'_>) -> (Option<Self>, Option<Self>) {
        let honeycomb_endpoint = reader.url(&["HONEYCOMB_API_ENDPOINT"]);
        let honeycomb_key = reader.parsed(&["HONEYCOMB_API_KEY"], |key| {
            let problem = || "the value contains characters that an HTTP header cannot contain".to_owned();
            secret(key).ok_or_else(problem)
        });
        let parameter = KeyParameter::read(reader);
        if parameter.is_some() && honeycomb_key.is_some() {
            reader.warn("HONEYCOMB_API_KEY_PARAMETER", "HONEYCOMB_API_KEY takes precedence");
        }
        let parameter = parameter.filter(|_| honeycomb_key.is_none());
        let general = reader.url(&["OTEL_EXPORTER_OTLP_ENDPOINT"]).map(|base| base.with_path(TRACES_PATH));
        let endpoint = reader.url(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]).or(general);
        let mut headers = read_headers(reader, "OTEL_EXPORTER_OTLP_HEADERS");
        headers.extend(read_headers(reader, "OTEL_EXPORTER_OTLP_TRACES_HEADERS"));
        let compression = reader.choice(
            &["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"],
            &Compression::CHOICES,
        );
        reader.parsed(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"], protocol);
        let timeout = reader.count(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]);
        let enabled = reader.choice(&["OTEL_TRACES_EXPORTER"], &[("otlp", true), ("none", false)]);
        let certificates = reader
            .parsed(&["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"], |path| {
                root_certificates::read(path).map_err(|problem| format!("found {}; {problem}", shown(path)))
            });
        let value_length =
            reader.count(&["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"]);
        let value_length = value_length.and_then(|length| length.try_into().ok()).unwrap_or(DEFAULT_VALUE_LENGTH);
        let second = Self::read_second(reader, value_length);
        reader.unsupported(&UNSUPPORTED);
        if enabled == Some(false) {
            return (None, None);
        }

        let honeycomb = honeycomb_endpoint.or_else(|| Url::parse(HONEYCOMB_ENDPOINT));
        let honeycomb = honeycomb.map(|base| base.with_path(TRACES_PATH));
        let is_honeycomb = |endpoint: &Url| Some(endpoint) == honeycomb.as_ref() || is_honeycomb(endpoint);
        let has_key = honeycomb_key.is_some() || parameter.is_some();
        // A key in the headers of a destination takes precedence over Honeycomb's variables.
        let uses_key =
            |endpoint: &Url, headers: &HeaderMap| is_honeycomb(endpoint) && !headers.contains_key(HONEYCOMB_HEADER);
        let second_uses_key = second.as_ref().is_some_and(|second| uses_key(&second.endpoint, &second.headers));
        let endpoint = endpoint.or_else(|| honeycomb.clone().filter(|_| has_key && !second_uses_key));
        if endpoint.is_none() {
            warn_without_receiver(reader, has_key);
        }
        if certificates.is_some() && endpoint.as_ref().is_some_and(|endpoint| !endpoint.is_https()) {
            reader.warn("OTEL_EXPORTER_OTLP_CERTIFICATE", "the endpoint is not an https:// URL");
        }
        let first_uses_key = endpoint.as_ref().is_some_and(|endpoint| uses_key(endpoint, &headers));
        let unused_key = if endpoint.as_ref().is_some_and(is_honeycomb) {
            "the key in OTEL_EXPORTER_OTLP_HEADERS takes precedence"
        } else {
            "the key is sent to Honeycomb only, and the OTLP endpoint is another receiver"
        };
        for (name, is_set) in
            [("HONEYCOMB_API_KEY", honeycomb_key.is_some()), ("HONEYCOMB_API_KEY_PARAMETER", parameter.is_some())]
        {
            if is_set && !first_uses_key && !second_uses_key {
                reader.warn(name, unused_key);
            }
        }
        let first = endpoint.map(|endpoint| Self {
            destination: Destination::Otlp,
            endpoint,
            headers,
            compression: compression.unwrap_or_default(),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis),
            certificates,
            value_length,
            key: None,
            signer: None,
        });
        let with_key = |mut settings: Self, uses_key: bool| {
            if uses_key {
                settings.key.clone_from(&parameter);
                if let Some(key) = &honeycomb_key {
                    settings.headers.insert(HONEYCOMB_HEADER, key.clone());
                }
            }
            if let Some(authorization) = settings.endpoint.authorization() {
                settings.headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
            }
            settings
        };
        let traces = reader.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(|_| "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let variable = traces.unwrap_or("OTEL_EXPORTER_OTLP_ENDPOINT");
        let first = first.and_then(|first| with_key(first, first_uses_key).signed(reader, variable));
        let second = second.and_then(|second| with_key(second, second_uses_key).signed(reader, SECOND_ENDPOINT));
        let both_are_xray =
            [&first, &second].iter().all(|one| one.as_ref().is_some_and(|one| one.destination == Destination::Xray));
        if both_are_xray {
            reader.warn(SECOND_ENDPOINT, "both OTLP endpoints are X-Ray's; the second one is ignored");
        }
        (first, second.filter(|_| !both_are_xray))
    }

    /// Returns the settings of a receiver at `address` without TLS, headers and compression.
    pub(crate) fn plain(address: SocketAddr) -> Option<Self> {
        Some(Self {
            destination: Destination::Otlp,
            endpoint: Url::parse(&format!("http://{address}"))?.with_path(TRACES_PATH),
            headers: HeaderMap::new(),
            compression: Compression::None,
            timeout: DEFAULT_TIMEOUT,
            certificates: None,
            value_length: DEFAULT_VALUE_LENGTH,
            key: None,
            signer: None,
        })
    }

    fn read_second(reader: &mut Reader<'_>, value_length: usize) -> Option<Self> {
        const HEADERS: &str = "LAMBDA_SPANS_SECOND_OTLP_HEADERS";
        let endpoint = reader.url(&[SECOND_ENDPOINT]);
        let headers = read_headers(reader, HEADERS);
        let compression = reader.choice(&["LAMBDA_SPANS_SECOND_OTLP_COMPRESSION"], &Compression::CHOICES);
        let timeout = reader.count(&["LAMBDA_SPANS_SECOND_OTLP_TIMEOUT"]);
        if endpoint.is_none() && reader.text(HEADERS).is_some() {
            reader.warn(HEADERS, "no second receiver is configured; set LAMBDA_SPANS_SECOND_OTLP_ENDPOINT");
        }
        Some(Self {
            destination: Destination::SecondOtlp,
            endpoint: endpoint?,
            headers,
            compression: compression.unwrap_or_default(),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis),
            certificates: None,
            value_length,
            key: None,
            signer: None,
        })
    }

    /// If the endpoint is X-Ray's, requests are signed and the spans belong to X-Ray. `None` if requests cannot be
    /// signed: X-Ray then gets its spans by the daemon.
    fn signed(mut self, reader: &mut Reader<'_>, variable: &str) -> Option<Self> {
        let Some(region) = xray_endpoint::region(&self.endpoint) else { return Some(self) };
        match Signer::read(reader, "xray", region) {
            Ok(signer) => self.signer = Some(signer),
            Err(problem) => {
                reader.warn(variable, format!("{problem}; until then, X-Ray gets spans through its daemon only"));
                return None;
            }
        }
        self.destination = Destination::Xray;
        // The user's headers may contain the key of another receiver.
        let mut names: Vec<_> = self.headers.keys().map(|name| format!("`{name}`")).collect();
        if !names.is_empty() {
            names.sort_unstable();
            let names = names.join(", ");
            reader.warn(variable, format!("X-Ray gets signed requests without other headers; omitted are {names}"));
        }
        (self.headers, self.key) = (HeaderMap::new(), None);
        if let Some(endpoint) = reader.url(&[XRAY_ENDPOINT]) {
            self.endpoint = endpoint.with_path(TRACES_PATH);
        }
        Some(self)
    }
}

/// Warns of variables that only describe a receiver.
fn warn_without_receiver(reader: &mut Reader<'_>, has_key: bool) {
    for (name, problem) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "no receiver is configured; set OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "no receiver is configured; set OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("HONEYCOMB_API_ENDPOINT", "no key is configured; set HONEYCOMB_API_KEY"),
    ] {
        if reader.text(name).is_some() && (name != "HONEYCOMB_API_ENDPOINT" || !has_key) {
            reader.warn(name, problem);
        }
    }
}

/// Accepts the only supported protocol.
fn protocol(value: &str) -> Result<(), String> {
    if value.eq_ignore_ascii_case("http/protobuf") {
        return Ok(());
    }
    let port = if value.eq_ignore_ascii_case("grpc") {
        "; set the endpoint to the receiver's port for OTLP over HTTP, usually 4318"
    } else {
        ""
    };
    Err(format!("found {}; allowed is `http/protobuf`{port}", shown(value)))
}

/// Reads headers. One that cannot be sent is left out.
fn read_headers(reader: &mut Reader<'_>, variable: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (position, name, value) in reader.pairs(variable) {
        match (HeaderName::try_from(name), secret(&value)) {
            (Ok(name), Some(_)) if OF_THE_REQUEST.contains(&name) => {
                reader.warn(variable, format!("entry {position} is ignored: the exporter sets the header `{name}`"));
            }
            (Ok(name), Some(value)) => {
                headers.insert(name, value);
            }
            (Ok(name), None) => reader.warn(
                variable,
                format!("entry {position} is ignored: the value of `{name}` contains characters that a header cannot"),
            ),
            (Err(_), _) => {
                reader.warn(variable, format!("entry {position} is ignored: its key is not the name of a header"));
            }
        }
    }
    headers
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The key is shared with Honeycomb only; another receiver never gets it.
fn is_honeycomb(endpoint: &Url) -> bool {
    endpoint.is_https() && endpoint.host().to_ascii_lowercase().ends_with(".honeycomb.io")
}

#[cfg(test)]
#[cfg(feature = "sigv4")]
mod tests {
    use super::*;
    use crate::variables::SettingsWarning;

    const CREDENTIALS: [(&str, &str); 3] =
        [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];
    const XRAY: &str = "https://user:canary@xray.eu-west-1.amazonaws.com/v1/traces";
    const KEY: &str = "x-honeycomb-team=canary";

    fn read(variables: &[(&str, &str)]) -> (Option<OtlpSettings>, Option<OtlpSettings>, Vec<SettingsWarning>) {
        let all: Vec<_> = CREDENTIALS.iter().chain(variables).collect();
        let get = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&get);
        let (first, second) = OtlpSettings::read(&mut reader);
        (first, second, reader.finish().0)
    }

    fn names(settings: &OtlpSettings) -> Vec<&str> {
        settings.headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn key_in_the_headers_overrides_the_parameter() {
        for destination in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
            let (first, _, warnings) = read(&[("HONEYCOMB_API_KEY_PARAMETER", "/key"), (destination, KEY)]);
            let first = first.unwrap();
            assert!(first.key.is_none());
            assert_eq!(names(&first), ["x-honeycomb-team"]);
            let warned: Vec<_> = warnings.iter().map(|warning| warning.variable.as_str()).collect();
            assert_eq!(warned, ["HONEYCOMB_API_KEY_PARAMETER"]);
        }
        let (first, ..) = read(&[("HONEYCOMB_API_KEY_PARAMETER", "/key")]);
        assert!(first.unwrap().key.is_some());
    }

    #[test]
    fn xrays_endpoint_gets_no_headers_of_the_user() {
        let first = [("OTEL_EXPORTER_OTLP_ENDPOINT", XRAY), ("OTEL_EXPORTER_OTLP_HEADERS", KEY)];
        let second = [("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT", XRAY), ("LAMBDA_SPANS_SECOND_OTLP_HEADERS", KEY)];
        for variables in [first, second] {
            let (first, second, warnings) = read(&variables);
            let settings = first.or(second).unwrap();
            assert_eq!(settings.destination, Destination::Xray);
            assert_eq!(names(&settings), Vec::<&str>::new());
            let [warning] = &warnings[..] else { panic!("{warnings:?}") };
            assert_eq!(warning.variable, variables[0].0);
            assert!(warning.problem.contains("`authorization`, `x-honeycomb-team`"), "{warning}");
            assert!(!warning.problem.contains("canary"), "{warning}");
        }
    }

    #[test]
    fn xrays_endpoint_without_headers_is_no_warning() {
        let (first, _, warnings) =
            read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://xray.eu-west-1.amazonaws.com/v1/traces")]);
        assert_eq!((first.unwrap().headers.len(), warnings), (0, vec![]));
    }
}
