//! OTLP on the HTTP and TLS stack of the AWS SDK, so that a function carries one such stack.

use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Answers of OTLP receivers are a few hundred bytes; a larger one is not worth its memory.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Client {
    connector: SharedHttpConnector,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(timeout: Duration) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let connector =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
        Self { connector: SharedHttpConnector::new(connector), timeout }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.map(SdkBody::from).try_into()?;
        let response = self.connector.call(request).await?.try_into_http1x()?;
        let (parts, body) = response.into_parts();
        let body = http_body_util::Limited::new(body, MAX_RESPONSE_BYTES).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::timeout(self.timeout, self.send(request)).await?
    }
}
