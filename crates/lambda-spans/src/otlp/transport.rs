//! OTLP on the HTTP and TLS stack of the AWS SDK, so that a function carries one such stack.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use opentelemetry_http::Bytes;

use super::outcome::Outcome;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection that was idle longer may have slept through a freeze, at whose end the receiver is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Answers of OTLP receivers are a few hundred bytes; a larger one is not worth its memory.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Transport {
    connector: SharedHttpConnector,
}

enum Fault {
    /// The request or its answer cannot be used; another attempt would not change that.
    Unusable(String),
    /// The connection could not be made or broke off.
    Connection(String),
}

impl Transport {
    pub(super) fn new() -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        Self { connector: SharedHttpConnector::new(connector) }
    }

    /// One attempt. A connection that turns out to be gone is replaced by a new one, once.
    pub(super) async fn send(&self, request: &Request<Bytes>, limit: Duration) -> Outcome {
        let attempt = async {
            match self.exchange(request).await {
                Err(Fault::Connection(_)) => self.exchange(request).await,
                answered => answered,
            }
        };
        match tokio::time::timeout(limit, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Fault::Connection(problem))) => Outcome::Silent { problem },
            Ok(Err(Fault::Unusable(problem))) => Outcome::Refused { problem },
            Err(_) => Outcome::Silent { problem: format!("no answer within {} ms", limit.as_millis()) },
        }
    }

    async fn exchange(&self, request: &Request<Bytes>) -> Result<Outcome, Fault> {
        let unusable = |error: &dyn std::fmt::Display| Fault::Unusable(error.to_string());
        let request = request.clone().map(SdkBody::from).try_into().map_err(|error| unusable(&error))?;
        let response = self.connector.call(request).await.map_err(|error| connection(&error))?;
        let response = response.try_into_http1x().map_err(|error| unusable(&error))?;
        let (parts, body) = response.into_parts();
        let body =
            Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| Fault::Connection(error.to_string()))?;
        Ok(Outcome::of_answer(parts.status, &parts.headers, &body.to_bytes()))
    }
}

fn connection(error: &ConnectorError) -> Fault {
    let mut problem = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        problem = format!("{problem}: {cause}");
        source = cause.source();
    }
    if error.is_user() { Fault::Unusable(problem) } else { Fault::Connection(problem) }
}
