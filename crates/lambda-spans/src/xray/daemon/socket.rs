//! A UDP socket that sends to one address.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

#[derive(Debug)]
pub(super) struct Socket(UdpSocket);

/// The result of sending one datagram.
#[derive(Debug)]
pub(super) enum SendOutcome {
    Sent,
    /// It was sent, but an earlier datagram had no receiver.
    SentAfter(io::Error),
    /// The send buffer is full; only for a non-blocking socket.
    Full,
    Failed(io::Error),
}

impl Socket {
    /// Prefers IPv4 among a name's addresses, because the daemon listens on IPv4 by default.
    pub(super) fn connected(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Self> {
        let mut addresses: Vec<_> = addresses.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let target = addresses.first().ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))?;
        let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(target)?;
        Ok(Self(socket))
    }

    pub(super) fn never_wait(&self) -> io::Result<()> {
        self.0.set_nonblocking(true)
    }

    pub(super) fn send(&self, datagram: &[u8]) -> SendOutcome {
        match self.0.send(datagram) {
            Ok(_) => SendOutcome::Sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => SendOutcome::Full,
            // This error reports an earlier datagram: the current one has not been sent.
            Err(refusal) if refusal.kind() == ErrorKind::ConnectionRefused => match self.0.send(datagram) {
                Ok(_) => SendOutcome::SentAfter(refusal),
                Err(error) => SendOutcome::Failed(error),
            },
            Err(error) => SendOutcome::Failed(error),
        }
    }
}
