//! A receiver far away: TLS and round trips in front of a local server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

/// For 127.0.0.1, localhost and otlp.example, valid until 2125. It protects nothing.
const CERTIFICATE: &str = include_str!("tls/certificate.pem");
const KEY: &str = include_str!("tls/key.pem");

/// What happens on the way to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Bytes arrive after half a round trip.
    Up,
    /// New connections are closed, and open ones are cut.
    Cut,
    /// Bytes are lost without notice, in both directions. A connection that has lost bytes stays silent.
    Silent,
}

/// A TLS endpoint on loopback that behaves like one at a distance.
///
/// TCP's own handshake is a round trip, too: a connection forwards its first byte that much later.
pub struct DistantEndpoint {
    address: SocketAddr,
    link: watch::Sender<Link>,
    connections: watch::Receiver<usize>,
}

impl fmt::Debug for DistantEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistantEndpoint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl DistantEndpoint {
    /// Starts an endpoint that decrypts and forwards to `upstream`, such as `127.0.0.1:4318`.
    pub async fn start(upstream: &str, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let (link, on_link) = watch::channel(Link::Up);
        let (count, connections) = watch::channel(0);
        let (acceptor, upstream) = (acceptor(), upstream.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let path = Path { link: on_link.clone(), opened: Instant::now() + round_trip, delay: round_trip / 2 };
                // An I/O error ends this connection only.
                tokio::spawn(serve(client, acceptor.clone(), upstream.clone(), path));
            }
        });
        Self { address, link, connections }
    }

    /// Returns the base URL for clients.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns the path of a file with the certificate to trust, such as for `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    #[must_use]
    pub fn certificate() -> &'static str {
        concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/certificate.pem")
    }

    /// Changes the link, also of open connections.
    pub fn set_link(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Returns the number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.connections.borrow()
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

#[derive(Clone)]
struct Path {
    link: watch::Receiver<Link>,
    /// When TCP's handshake ends.
    opened: Instant,
    delay: Duration,
}

async fn serve(client: TcpStream, acceptor: TlsAcceptor, upstream: String, path: Path) -> io::Result<()> {
    if *path.link.borrow() == Link::Cut {
        return Ok(());
    }
    client.set_nodelay(true)?;
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(near);
    let mut cut = path.link.clone();
    let there = delay(from_client, to_server, path.clone());
    let back = delay(from_server, to_client, path.clone());
    let decrypted = async {
        let mut decrypted = acceptor.accept(far).await?;
        let mut server = TcpStream::connect(upstream).await?;
        tokio::io::copy_bidirectional(&mut decrypted, &mut server).await.map(drop)
    };
    // The server's end is the client's end, half a round trip later.
    tokio::select! {
        _ = cut.wait_for(|link| *link == Link::Cut) => Ok(()),
        ended = async { tokio::try_join!(there, back, decrypted).map(drop) } => ended,
    }
}

/// Forwards bytes, each with the same delay.
async fn delay(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut path: Path) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            let sent = Instant::now().max(path.opened) + path.delay;
            let bytes = buffer.get(..read).unwrap_or_default().to_vec();
            if sender.send((sent, bytes)).is_err() || read == 0 {
                return io::Result::Ok(());
            }
        }
    };
    let writing = async move {
        let mut lost = false;
        while let Some((at, bytes)) = receiver.recv().await {
            sleep_until(at).await;
            lost |= *path.link.borrow_and_update() == Link::Silent;
            if lost {
                continue;
            }
            if bytes.is_empty() {
                break;
            }
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(drop)
}
