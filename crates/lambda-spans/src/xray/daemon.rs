//! The X-Ray daemon's UDP protocol.

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tracing::warn;

use crate::accounting::Account;

/// What begins every datagram.
pub(super) const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";

#[derive(Debug)]
pub(super) struct Daemon {
    address: String,
    socket: OnceCell<UdpSocket>,
}

impl Daemon {
    pub(super) fn new(address: String) -> Self {
        Self { address, socket: OnceCell::new() }
    }

    /// Sends each document as one datagram. A document that cannot be sent is counted and takes no other with it.
    pub(super) async fn send(&self, documents: Vec<Vec<u8>>, limit: Duration, account: &Account) {
        let total = documents.len();
        let mut sent = 0;
        let all = async {
            let socket = self.socket.get_or_try_init(|| connect(&self.address)).await?;
            for document in documents {
                sent += usize::from(send_one(socket, &document).await.is_ok());
            }
            io::Result::Ok(())
        };
        if let Ok(Err(error)) = timeout(limit, all).await {
            warn!(%error, address = self.address, "the X-Ray daemon's address cannot be used");
        }
        account.exported(sent);
        account.dropped(total - sent);
    }
}

async fn connect(address: &str) -> io::Result<UdpSocket> {
    let target = tokio::net::lookup_host(address)
        .await?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let any: std::net::IpAddr =
        if target.is_ipv4() { std::net::Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(target).await?;
    Ok(socket)
}

async fn send_one(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
    match socket.send(datagram).await {
        // The report of an earlier datagram's fate: this one has not been sent yet.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => socket.send(datagram).await,
        sent => sent,
    }
}
