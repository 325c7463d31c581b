//! The process's only HTTP and TLS stack. The AWS SDK, OTLP and the request for the Honeycomb key share it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection that was idle for longer may have been closed by its peer during a freeze.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Connectors with their connections. Clones share them.
///
/// Each is created on first use: reading the trusted root certificates takes milliseconds, and plain HTTP does not need
/// them.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpStack(Arc<Connectors>);

#[derive(Debug, Default)]
struct Connectors {
    plain: OnceLock<SharedHttpConnector>,
    tls: OnceLock<SharedHttpConnector>,
}

impl HttpStack {
    /// Returns the connector for `url`.
    pub(crate) fn connector(&self, url: &str) -> SharedHttpConnector {
        if url.starts_with("http:") { self.plain() } else { self.tls() }
    }

    pub(crate) fn plain(&self) -> SharedHttpConnector {
        // A TLS connector without trusted roots, because a connector without TLS would add a second HTTP stack to the
        // binary.
        let no_roots = || TlsContext::builder().with_trust_store(TrustStore::empty()).build().unwrap_or_default();
        self.0.plain.get_or_init(|| connector(no_roots())).clone()
    }

    fn tls(&self) -> SharedHttpConnector {
        self.0.tls.get_or_init(|| connector(TlsContext::default())).clone()
    }

    /// Returns a client for the AWS SDK.
    pub(crate) fn client(&self) -> SharedHttpClient {
        let stack = self.clone();
        http_client_fn(move |_, _| stack.tls())
    }
}

fn connector(tls: TlsContext) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let builder = Connector::builder().connector_settings(settings).pool_idle_timeout(IDLE_TIMEOUT);
    SharedHttpConnector::new(builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build())
}
