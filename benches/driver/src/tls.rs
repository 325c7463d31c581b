//! TLS for the collector. Subjects trust its certificate in addition to the machine's root certificates.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The paths of Linux's root certificates; the first existing one is used.
const ROOT_PATHS: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Shared by all runs.
pub(crate) static TLS: LazyLock<Tls> = LazyLock::new(Tls::new);

#[derive(Debug)]
pub(crate) struct Tls {
    server: Arc<ServerConfig>,
    /// The value for `SSL_CERT_FILE`.
    pub(crate) trusted: PathBuf,
    /// The number of certificates in that file.
    pub(crate) roots: usize,
}

impl Tls {
    fn new() -> Self {
        let generated = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(generated.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![generated.cert.der().clone()], key)
            .expect("a certificate with its key");
        let machine = ROOT_PATHS.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
        let trusted = std::env::temp_dir().join(format!("lambda-spans-bench-{}.pem", std::process::id()));
        let mut file = fs::File::create(&trusted).expect("a temporary file");
        file.write_all(&machine)
            .and_then(|()| file.write_all(generated.cert.pem().as_bytes()))
            .expect("a written file");
        let roots = machine.windows(27).filter(|text| text == b"-----BEGIN CERTIFICATE-----").count() + 1;
        Self { server: Arc::new(server), trusted, roots }
    }

    pub(crate) fn accept(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(self.server.clone()).expect("a connection"), stream)
    }
}
