//! The process's one HTTP and TLS stack: the AWS SDK's, for the SDK, for OTLP and for the key's parameter.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection that was idle longer may have slept through a freeze, at whose end its peer is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Connectors with their connections. Clones share them.
///
/// Each is made when it is first asked for: reading the trusted roots takes milliseconds, and what goes over plain
/// HTTP does not need them.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpStack(Arc<Connectors>);

#[derive(Debug, Default)]
struct Connectors {
    plain: OnceLock<SharedHttpConnector>,
    tls: OnceLock<SharedHttpConnector>,
}

impl HttpStack {
    /// The connector for `url`.
    pub(crate) fn connector(&self, url: &str) -> SharedHttpConnector {
        if url.starts_with("http:") { self.plain() } else { self.tls() }
    }

    pub(crate) fn plain(&self) -> SharedHttpConnector {
        // One for TLS that trusts nobody: a connector without TLS would be a second HTTP stack in the binary.
        let nobody = || TlsContext::builder().with_trust_store(TrustStore::empty()).build().unwrap_or_default();
        self.0.plain.get_or_init(|| connector(nobody())).clone()
    }

    fn tls(&self) -> SharedHttpConnector {
        self.0.tls.get_or_init(|| connector(TlsContext::default())).clone()
    }

    /// A client for the AWS SDK.
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
