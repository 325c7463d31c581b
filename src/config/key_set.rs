use std::pin::Pin;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use http::Uri;
use http_body_util::{BodyExt, Limited};
use lambda_spans::Spans;
use lambda_spans::attributes::{ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE, SERVER_ADDRESS, SERVER_PORT};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Timeout of the whole read: connection, response, and a second attempt.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// Maximum size of a key set. Cognito's has two keys of about 400 bytes each.
const MAX_BYTES: usize = 64 * 1024;

type ReadFuture = Pin<Box<dyn Future<Output = Result<Vec<u8>, BoxError>> + Send>>;

/// Returns a function that reads the key set at `url` within 1.5 seconds, through the HTTP stack of the span exporter. It
/// fails with a [`KeySetError`].
pub fn key_set(url: String, spans: &Spans) -> impl Fn() -> ReadFuture + use<> {
    let connector = spans.http_connector();
    let reader = KeySetReader { url, connector };
    move || {
        let reader = reader.clone();
        Box::pin(async move { Ok(reader.read().await?) })
    }
}

#[derive(Clone, Debug)]
struct KeySetReader {
    url: String,
    connector: SharedHttpConnector,
}

/// Why the key set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// The server did not respond.
    #[error("{url} (JWKS_URL) does not respond")]
    Connection {
        /// The setting's value.
        url: String,
        /// The cause.
        source: ConnectorError,
    },
    /// The server did not respond completely in time.
    #[error("{url} (JWKS_URL) does not respond within {} ms", TIMEOUT.as_millis())]
    Timeout {
        /// The setting's value.
        url: String,
    },
    /// The status was not 200.
    #[error("{url} (JWKS_URL) responds with status {status}")]
    Status {
        /// The setting's value.
        url: String,
        /// The status.
        status: u16,
    },
    /// The request cannot be built, or the response cannot be read.
    #[error("cannot read the response of {url} (JWKS_URL)")]
    Unreadable {
        /// The setting's value.
        url: String,
        /// The cause.
        source: BoxError,
    },
}

impl KeySetReader {
    async fn read(&self) -> Result<Vec<u8>, KeySetError> {
        let span = info_span!(
            "GET",
            otel.kind = "client",
            http.request.method = "GET",
            http.response.status_code = Empty,
            url.full = self.url,
            server.address = Empty,
            server.port = Empty,
            error.r#type = Empty,
        );
        self.record_server(&span);
        let exchange = async {
            // A pooled connection may have died while Lambda froze the process. Retry once with a new one.
            match self.exchange().await {
                Err(KeySetError::Connection { .. }) => self.exchange().await,
                result => result,
            }
        };
        async {
            let read = tokio::time::timeout(TIMEOUT, exchange).await;
            let read = read.unwrap_or_else(|_elapsed| Err(KeySetError::Timeout { url: self.url.clone() }));
            read.inspect_err(|error| {
                Span::current().record(ERROR_TYPE, error.error_type());
            })
        }
        .instrument(span)
        .await
    }

    fn record_server(&self, span: &Span) {
        let Ok(url) = self.url.parse::<Uri>() else { return };
        let default_port = if url.scheme_str() == Some("http") { 80 } else { 443 };
        span.record(SERVER_ADDRESS, url.host().map(|host| host.trim_matches(['[', ']'])));
        span.record(SERVER_PORT, i64::from(url.port_u16().unwrap_or(default_port)));
    }

    async fn exchange(&self) -> Result<Vec<u8>, KeySetError> {
        let unreadable = |source| KeySetError::Unreadable { url: self.url.clone(), source };
        let request = HttpRequest::get(self.url.as_str()).map_err(|error| unreadable(error.into()))?;
        let no_response = |source| KeySetError::Connection { url: self.url.clone(), source };
        let response = self.connector.call(request).await.map_err(no_response)?;
        let status = response.status().as_u16();
        Span::current().record(HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        if status != 200 {
            return Err(KeySetError::Status { url: self.url.clone(), status });
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(unreadable)?;
        Ok(body.to_bytes().to_vec())
    }
}

impl KeySetError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Connection { .. } => "connection",
            Self::Timeout { .. } => "timeout",
            Self::Status { .. } => "status",
            Self::Unreadable { .. } => "unusable",
        }
    }
}
