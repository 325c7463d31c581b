//! The options of a console.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::clock::Clock;
use crate::receive::limits::Limits;

/// OTLP/HTTP, and the page.
pub const HTTP_PORT: u16 = 4318;
/// The X-Ray daemon.
pub const XRAY_PORT: u16 = 2000;
/// OTLP/gRPC, which is refused with a hint.
pub const GRPC_PORT: u16 = 4317;
/// The default of [`Options::max_bytes`]: 64 MiB.
pub const MAX_BYTES: usize = 64 << 20;

/// The options of a console. The port 0 selects a free port; a port that is in use is replaced by a free one.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on.
    pub listen: IpAddr,
    /// The port of the page, the API and OTLP/HTTP.
    pub http_port: u16,
    /// The UDP port of X-Ray documents, and the TCP port of sampling rules; `None` disables both.
    pub xray_port: Option<u16>,
    /// The port on which gRPC is refused with a hint; `None` disables it.
    pub grpc_port: Option<u16>,
    /// How many bytes of memory the traces may take.
    pub max_bytes: usize,
    /// Host names under which the page and the API are reached, in addition to those of this machine.
    pub allow_hosts: Vec<String>,
    /// Origins whose pages may send spans, such as `http://localhost:3000`.
    pub allow_origins: Vec<String>,
    /// A folder with the page's files instead of the embedded ones, for the development of the page.
    pub page_folder: Option<PathBuf>,
    /// The limits of a request.
    pub limits: Limits,
    /// The clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_port: HTTP_PORT,
            xray_port: Some(XRAY_PORT),
            grpc_port: Some(GRPC_PORT),
            max_bytes: MAX_BYTES,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
            page_folder: None,
            limits: Limits::default(),
            clock: Clock::system(),
        }
    }
}

impl Options {
    /// Returns options with free ports on loopback, for tests and for use within another server.
    #[must_use]
    pub fn on_free_ports() -> Self {
        Self { http_port: 0, xray_port: Some(0), grpc_port: Some(0), ..Self::default() }
    }
}
