//! Binds listening ports and explains failures.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// A port cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process uses the port.
    #[error("port {port} is in use by another process: stop that process, or set another port with `{flag} <PORT>`")]
    InUse {
        /// The port.
        port: u16,
        /// The option that sets the port.
        flag: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// No network interface has the bridge's address.
    #[error(
        "no network interface has the address {address}: start Docker, or set the address of its bridge with \
         `--bridge <ADDRESS>` (`ip -4 addr show docker0` prints it)"
    )]
    NoBridge {
        /// The address.
        address: IpAddr,
        /// The cause.
        source: io::Error,
    },
    /// Any other cause, such as missing permission for a port below 1024.
    #[error("cannot listen on {address}; set another port with `{flag} <PORT>`")]
    Failed {
        /// The address.
        address: SocketAddr,
        /// The option that sets the port.
        flag: &'static str,
        /// The cause.
        source: io::Error,
    },
}

/// Listens on 127.0.0.1. `flag` is the option that sets the port, for the error message.
///
/// # Errors
/// If the port cannot be bound.
pub async fn on_loopback(port: u16, flag: &'static str) -> Result<TcpListener, ListenError> {
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), flag).await
}

/// Listens on the address of Docker's bridge.
///
/// # Errors
/// If no interface has that address, or the port cannot be bound.
pub async fn on_bridge(bridge: Ipv4Addr, port: u16, flag: &'static str) -> Result<TcpListener, ListenError> {
    bind(SocketAddr::from((bridge, port)), flag).await
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| {
        let kind = source.kind();
        if kind == ErrorKind::AddrInUse {
            ListenError::InUse { port: address.port(), flag, source }
        } else if kind == ErrorKind::AddrNotAvailable {
            ListenError::NoBridge { address: address.ip(), source }
        } else {
            ListenError::Failed { address, flag, source }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn port_in_use_is_reported_with_its_option() {
        let first = on_loopback(0, "--port").await.unwrap();
        let used = first.local_addr().unwrap().port();
        let error = on_loopback(used, "--port").await.unwrap_err();
        assert!(matches!(error, ListenError::InUse { port, flag: "--port", .. } if port == used), "{error}");
    }

    #[tokio::test]
    async fn missing_bridge_is_reported() {
        // Addresses from 240.0.0.0 are reserved, so no interface has one.
        let reserved = Ipv4Addr::new(240, 0, 0, 1);
        let error = on_bridge(reserved, 0, "--dynamodb-port").await.unwrap_err();
        assert!(matches!(error, ListenError::NoBridge { address, .. } if address == reserved), "{error}");
    }
}
