//! TLS for the collector, with a certificate that subjects are told to trust beside all that this machine trusts.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Where Linux keeps what it trusts; the first that there is.
const TRUSTED: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// One for all runs.
pub(crate) static TLS: LazyLock<Tls> = LazyLock::new(Tls::new);

#[derive(Debug)]
pub(crate) struct Tls {
    server: Arc<ServerConfig>,
    /// For `SSL_CERT_FILE`.
    pub(crate) trusted: PathBuf,
    /// How many certificates are in it.
    pub(crate) roots: usize,
}

impl Tls {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate with its key");
        let machine = TRUSTED.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
        let trusted = std::env::temp_dir().join(format!("lambda-spans-bench-{}.pem", std::process::id()));
        let mut file = fs::File::create(&trusted).expect("a temporary file");
        file.write_all(&machine).and_then(|()| file.write_all(made.cert.pem().as_bytes())).expect("a written file");
        let roots = machine.windows(27).filter(|text| text == b"-----BEGIN CERTIFICATE-----").count() + 1;
        Self { server: Arc::new(server), trusted, roots }
    }

    pub(crate) fn over(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(self.server.clone()).expect("a connection"), stream)
    }
}
