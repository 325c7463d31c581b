//! Taking ports, and saying plainly why one cannot be had.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// A port that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program listens there.
    #[error("port {port} is taken by another program: end that program, or choose another port with `{flag} <PORT>`")]
    Taken {
        /// The port asked for.
        port: u16,
        /// The flag that chooses it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No network interface has the bridge's address.
    #[error(
        "no network interface of this machine has the address {address}: start Docker, \
         or name its bridge with `--bridge <ADDRESS>` (`ip -4 addr show docker0` shows it)"
    )]
    NoBridge {
        /// The address asked for.
        address: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else, such as a port below 1024 without the right to it.
    #[error("cannot listen on {address}; choose another port with `{flag} <PORT>`")]
    Refused {
        /// The address asked for.
        address: SocketAddr,
        /// The flag that chooses its port.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on 127.0.0.1 only; `flag` is the option that the port came from.
///
/// # Errors
/// When the port cannot be had.
pub async fn on_loopback(port: u16, flag: &'static str) -> Result<TcpListener, ListenError> {
    on(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), flag).await
}

/// Listens on the address of Docker's bridge.
///
/// # Errors
/// When there is no such bridge or the port cannot be had on it.
pub async fn on_bridge(bridge: Ipv4Addr, port: u16, flag: &'static str) -> Result<TcpListener, ListenError> {
    on(SocketAddr::from((bridge, port)), flag).await
}

async fn on(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| {
        let kind = source.kind();
        if kind == ErrorKind::AddrInUse {
            ListenError::Taken { port: address.port(), flag, source }
        } else if kind == ErrorKind::AddrNotAvailable {
            ListenError::NoBridge { address: address.ip(), source }
        } else {
            ListenError::Refused { address, flag, source }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_flag_that_chooses_another() {
        let first = on_loopback(0, "--port").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let error = on_loopback(port, "--port").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "port {port} is taken by another program: \
                 end that program, or choose another port with `--port <PORT>`"
            )
        );
    }

    #[tokio::test]
    async fn a_bridge_that_is_not_there_is_said_with_how_to_find_it() {
        // The addresses from 240.0.0.0 on are reserved: no interface has one.
        let error = on_bridge(Ipv4Addr::new(240, 0, 0, 1), 0, "--dynamodb-port").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no network interface of this machine has the address 240.0.0.1: start Docker, \
             or name its bridge with `--bridge <ADDRESS>` (`ip -4 addr show docker0` shows it)"
        );
    }
}
