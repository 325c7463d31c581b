//! TLS by rustls with the cryptography that the AWS SDK uses.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// A function connects to a handful of servers. The default reserves memory for 256.
const SESSIONS: usize = 16;

/// Returns the configuration that trusts `roots`, or `None` if there are none.
pub(super) fn trusting(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    if roots.is_empty() {
        return None;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    // Fails only if the provider has no cipher suite for any version.
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Some(Arc::new(config))
}
