//! Starts and stops a console.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use axum::{Router, middleware};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::guard::{self, Guard};
use crate::api::routes::{self, Api};
use crate::health::Health;
use crate::host::Admission;
use crate::model::ids::TraceId;
use crate::options::Options;
use crate::page;
use crate::receive::import::import;
use crate::receive::intake::DecodeError;
use crate::receive::receiver::Receiver;
use crate::receive::{grpc, http, sampling, udp};
use crate::store::Store;

/// A console cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the console cannot listen on {address}; set another address with `--listen <ADDRESS>`")]
pub struct StartError {
    /// The address.
    pub address: SocketAddr,
    /// The cause.
    pub source: io::Error,
}

/// A running console. Dropping it stops it.
#[derive(Debug)]
pub struct Console {
    addresses: Addresses,
    receiver: Arc<Receiver>,
    stop: watch::Sender<bool>,
    /// End by themselves when the console stops.
    servers: Vec<JoinHandle<()>>,
    /// Are ended.
    receivers: Vec<JoinHandle<()>>,
}

/// Where a console listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The page, the API and OTLP/HTTP.
    pub http: SocketAddr,
    /// X-Ray documents over UDP.
    pub xray: Option<SocketAddr>,
    /// Sampling rules for X-Ray SDKs over TCP; `None` if the port is in use.
    pub sampling: Option<SocketAddr>,
    /// Where gRPC is refused with a hint; `None` if the port is in use.
    pub grpc: Option<SocketAddr>,
}

impl Console {
    /// Starts a console on the current Tokio runtime.
    ///
    /// A port that is in use is replaced by a free one, except that of gRPC, which is then not served.
    ///
    /// # Errors
    /// If no port of the address can be bound.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { listen, clock, .. } = options;
        let listener = tcp(listen, options.http_port, true).await?;
        let failed = |source| StartError { address: SocketAddr::new(listen, options.http_port), source };
        let http = listener.local_addr().map_err(failed)?;
        // `localhost` may be either of them.
        let second = if listen == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            tcp(IpAddr::V6(Ipv6Addr::LOCALHOST), http.port(), false).await.ok()
        } else {
            None
        };
        let store = Arc::new(Store::new(options.max_bytes, clock.clone()));
        let health = Arc::new(Health::default());
        let receiver = Arc::new(Receiver::new(store.clone(), health.clone(), options.limits, clock.clone()));
        let admission = Arc::new(Admission::new(listen, &options.allow_hosts, &options.allow_origins));
        let (stop, stopped) = watch::channel(false);
        let (mut servers, mut receivers) = (Vec::new(), Vec::new());

        let mut addresses = Addresses { http, xray: None, sampling: None, grpc: None };
        if let Some(port) = options.xray_port {
            let socket = socket(listen, port).await?;
            let (address, task) = udp::start(socket, receiver.clone()).map_err(failed)?;
            receivers.push(task);
            addresses.xray = Some(address);
            if let Ok(listener) = tcp(listen, address.port(), false).await {
                addresses.sampling = listener.local_addr().ok();
                servers.push(serve(listener, sampling::routes(), stopped.clone()));
            }
        }
        if let Some(port) = options.grpc_port
            && let Ok(listener) = tcp(listen, port, false).await
        {
            addresses.grpc = listener.local_addr().ok();
            receivers.push(grpc::start(listener, http, receiver.clone()));
        }
        let api = Api {
            store,
            health: health.clone(),
            receiver: receiver.clone(),
            http,
            xray: addresses.xray,
            grpc: addresses.grpc,
            stopped: stopped.clone(),
        };
        let guard = Arc::new(Guard { admission: admission.clone(), health, clock });
        let guarded = routes::routes(Arc::new(api))
            .merge(page::routes(options.page_folder))
            .layer(middleware::from_fn_with_state(guard, guard::check));
        // The receivers have checks of their own.
        let router = http::routes(receiver.clone(), admission).fallback_service(guarded);
        servers.push(serve(listener, router.clone(), stopped.clone()));
        servers.extend(second.map(|listener| serve(listener, router, stopped)));
        Ok(Self { addresses, receiver, stop, servers, receivers })
    }

    /// Returns where the console listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Returns the address of the page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.addresses.http)
    }

    /// Returns the address of the page of a trace.
    #[must_use]
    pub fn page_url(&self, trace: TraceId) -> String {
        format!("{}#/trace/{trace}", self.url())
    }

    /// Returns the URL for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn otlp_endpoint(&self) -> String {
        format!("http://{}", self.addresses.http)
    }

    /// Adds the spans of a file: OTLP in JSON or protobuf, or X-Ray documents. Returns the traces.
    ///
    /// # Errors
    /// If it is none of the formats, or a limit is exceeded.
    pub fn import(&self, bytes: &[u8]) -> Result<Vec<TraceId>, DecodeError> {
        import(&self.receiver, bytes).map(|imported| imported.traces.into_iter().collect())
    }

    /// Stops receiving, ends event streams, and returns when all pending requests are answered.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in self.receivers.drain(..) {
            task.abort();
        }
        for task in self.servers.drain(..) {
            // A panic of a handler does not end a server.
            task.await.ok();
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.receivers.iter().for_each(JoinHandle::abort);
    }
}

/// Binds a TCP port. If it is in use and `fall_back`, binds a free one.
async fn tcp(listen: IpAddr, port: u16, fall_back: bool) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(listen, port);
    match TcpListener::bind(address).await {
        Err(error) if fall_back && error.kind() == io::ErrorKind::AddrInUse => {
            TcpListener::bind((listen, 0)).await.map_err(|source| StartError { address, source })
        }
        bound => bound.map_err(|source| StartError { address, source }),
    }
}

/// Binds a UDP port, or a free one if it is in use.
async fn socket(listen: IpAddr, port: u16) -> Result<UdpSocket, StartError> {
    let address = SocketAddr::new(listen, port);
    match UdpSocket::bind(address).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            UdpSocket::bind((listen, 0)).await.map_err(|source| StartError { address, source })
        }
        bound => bound.map_err(|source| StartError { address, source }),
    }
}

fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    // Without TCP_NODELAY, an answer may wait for the client's delayed acknowledgment.
    let listener = listener.tap_io(|connection| {
        connection.set_nodelay(true).ok();
    });
    tokio::spawn(async move {
        let stopped = async move {
            // An error means that the console was dropped.
            stopped.wait_for(|stopped| *stopped).await.ok();
        };
        axum::serve(listener, router).with_graceful_shutdown(stopped).await.ok();
    })
}
