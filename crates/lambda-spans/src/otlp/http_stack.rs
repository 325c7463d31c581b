//! The process's only HTTP and TLS stack. The AWS SDK, OTLP and the request for the Honeycomb key share it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::proxy::ProxySettings;
use super::root_certificates;
use crate::variables::url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Receivers keep idle connections for a minute and longer. A NAT gateway forgets them after 350 s, without notice. If
/// the receiver has closed a connection earlier, the request is sent again on a new one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// The problem if the system has no trusted root certificates.
pub(crate) const NO_ROOTS: &str = "TLS is unavailable, because no trusted root certificate can be read; \
     install the package `ca-certificates` in the image, or set SSL_CERT_FILE to a PEM file";

/// Connectors with their connections. Clones share them.
///
/// Each is created on first use: reading the trusted root certificates takes milliseconds, and plain HTTP does not need
/// them.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpStack(Arc<Connectors>);

#[derive(Debug, Default)]
struct Connectors {
    proxies: ProxySettings,
    roots_exist: OnceLock<bool>,
    plain: OnceLock<SharedHttpConnector>,
    plain_by_proxy: OnceLock<SharedHttpConnector>,
    tls: OnceLock<SharedHttpConnector>,
}

impl HttpStack {
    pub(crate) fn new(proxies: ProxySettings) -> Self {
        Self(Arc::new(Connectors { proxies, ..Connectors::default() }))
    }

    /// Returns the connector for `url`.
    pub(crate) fn connector(&self, url: &str) -> SharedHttpConnector {
        match Url::parse(url) {
            Some(url) if !url.is_https() => self.plain_for(&url),
            Some(_) | None => self.tls(),
        }
    }

    /// Returns the connector for `url` that trusts only `certificates` in PEM format, if any.
    pub(super) fn connector_with(&self, url: &Url, certificates: Option<Vec<u8>>) -> SharedHttpConnector {
        match certificates {
            Some(pem) if url.is_https() => {
                let roots = TrustStore::empty().with_pem_certificate(pem);
                connector(trusting(roots), self.0.proxies.https())
            }
            Some(_) | None => self.connector(&url.to_string()),
        }
    }

    /// Returns the connector for plain HTTP without a proxy, such as for the Runtime API.
    pub(crate) fn plain(&self) -> SharedHttpConnector {
        self.0.plain.get_or_init(|| connector(trusting(TrustStore::empty()), None)).clone()
    }

    fn plain_for(&self, url: &Url) -> SharedHttpConnector {
        match self.0.proxies.http() {
            Some(proxy) if !url.is_loopback() => {
                let new = || connector(trusting(TrustStore::empty()), Some(proxy));
                self.0.plain_by_proxy.get_or_init(new).clone()
            }
            Some(_) | None => self.plain(),
        }
    }

    /// Returns whether a TLS connection is possible at all.
    pub(crate) fn roots_exist(&self) -> bool {
        *self.0.roots_exist.get_or_init(root_certificates::exist)
    }

    fn tls(&self) -> SharedHttpConnector {
        let new = || {
            if self.roots_exist() {
                connector(TlsContext::default(), self.0.proxies.https())
            } else {
                SharedHttpConnector::new(WithoutRoots)
            }
        };
        self.0.tls.get_or_init(new).clone()
    }

    /// Returns a client for the AWS SDK.
    pub(crate) fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(ByUrl(self.clone()));
        http_client_fn(move |_, _| connector.clone())
    }
}

// A connector without TLS would add a second HTTP stack to the binary, so all of them have TLS.
fn connector(tls: TlsContext, proxy: Option<ProxyConfig>) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let mut builder = Connector::builder().connector_settings(settings).pool_idle_timeout(IDLE_TIMEOUT);
    builder.set_proxy_config(proxy);
    SharedHttpConnector::new(builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build())
}

fn trusting(roots: TrustStore) -> TlsContext {
    TlsContext::builder().with_trust_store(roots).build().unwrap_or_default()
}

/// Sends each request by the connector for its URL.
#[derive(Debug)]
struct ByUrl(HttpStack);

impl HttpConnector for ByUrl {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // Almost all requests.
        let connector =
            if request.uri().starts_with("https:") { self.0.tls() } else { self.0.connector(request.uri()) };
        connector.call(request)
    }
}

/// Replaces the TLS connector, which panics without root certificates.
#[derive(Debug)]
struct WithoutRoots;

impl HttpConnector for WithoutRoots {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(NO_ROOTS.into())))
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[tokio::test]
    async fn request_without_roots_fails_with_a_hint() {
        let request = http::Request::get("https://example.com/").body(SdkBody::empty()).expect("a request");
        let error = WithoutRoots.call(request.try_into().expect("a request")).await.expect_err("no roots");
        assert!(error.is_user());
        assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some(NO_ROOTS));
    }
}
