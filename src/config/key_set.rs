use std::pin::Pin;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use http_body_util::{BodyExt, Limited};
use lambda_spans::Spans;
use lambda_spans::attributes::{ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

type Unusable = Box<dyn std::error::Error + Send + Sync>;

/// For everything: the connection, the answer, and a second attempt.
const LIMIT: Duration = Duration::from_millis(1500);
/// A key set has two keys of some 400 bytes each.
const MAX_BYTES: usize = 64 * 1024;

type Reading = Pin<Box<dyn Future<Output = Result<Vec<u8>, Unusable>> + Send>>;

/// Reads the text of the key set at `url`, within 1.5 seconds, through the process's own HTTP stack. It fails with a
/// [`KeySetError`].
pub fn key_set(url: String, spans: &Spans) -> impl Fn() -> Reading + use<> {
    let connector = spans.http_connector(&url);
    let key_set = KeySet { url, connector };
    move || {
        let key_set = key_set.clone();
        Box::pin(async move { Ok(key_set.read().await?) })
    }
}

#[derive(Clone, Debug)]
struct KeySet {
    url: String,
    connector: SharedHttpConnector,
}

/// Why the key set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// There was no answer.
    #[error("{url} (JWKS_URL) does not answer")]
    Silent {
        /// The setting's value.
        url: String,
        /// What went wrong.
        source: ConnectorError,
    },
    /// There was no whole answer in time.
    #[error("{url} (JWKS_URL) does not answer within {} ms", LIMIT.as_millis())]
    Slow {
        /// The setting's value.
        url: String,
    },
    /// There was an answer, but no key set.
    #[error("{url} (JWKS_URL) answers with status {status}")]
    Refused {
        /// The setting's value.
        url: String,
        /// The answer's status.
        status: u16,
    },
    /// The request cannot be made or the answer cannot be read.
    #[error("what {url} (JWKS_URL) answers cannot be read")]
    Unusable {
        /// The setting's value.
        url: String,
        /// What is wrong with it.
        source: Unusable,
    },
}

impl KeySet {
    async fn read(&self) -> Result<Vec<u8>, KeySetError> {
        let span = info_span!(
            "GET",
            otel.kind = "client",
            http.request.method = "GET",
            http.response.status_code = Empty,
            url.full = self.url,
            error.r#type = Empty,
        );
        let exchange = async {
            // A connection that slept through a freeze is gone: another one is made, once.
            match self.exchange().await {
                Err(KeySetError::Silent { .. }) => self.exchange().await,
                answered => answered,
            }
        };
        async {
            let read = tokio::time::timeout(LIMIT, exchange).await;
            let read = read.unwrap_or_else(|_elapsed| Err(KeySetError::Slow { url: self.url.clone() }));
            read.inspect_err(|error| {
                Span::current().record(ERROR_TYPE, error.word());
            })
        }
        .instrument(span)
        .await
    }

    async fn exchange(&self) -> Result<Vec<u8>, KeySetError> {
        let unusable = |source| KeySetError::Unusable { url: self.url.clone(), source };
        let request = HttpRequest::get(self.url.as_str()).map_err(|error| unusable(error.into()))?;
        let silent = |source| KeySetError::Silent { url: self.url.clone(), source };
        let response = self.connector.call(request).await.map_err(silent)?;
        let status = response.status().as_u16();
        Span::current().record(HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        if status != 200 {
            return Err(KeySetError::Refused { url: self.url.clone(), status });
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(unusable)?;
        Ok(body.to_bytes().to_vec())
    }
}

impl KeySetError {
    fn word(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "connection",
            Self::Slow { .. } => "timeout",
            Self::Refused { .. } => "status",
            Self::Unusable { .. } => "unusable",
        }
    }
}
