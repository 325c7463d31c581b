//! The X-Ray daemon's UDP port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::receiver::Receiver;

/// The largest datagram of IPv4 has 65,507 bytes.
const MAX_DATAGRAM: usize = 65_536;
/// Room for a burst. The kernel may grant less.
const BUFFER: usize = 8 << 20;
/// How many datagrams are read before other tasks get their turn.
const BURST: usize = 64;

/// Reads datagrams on a task until it is dropped.
///
/// # Errors
/// If the socket has no address.
pub(crate) fn start(socket: UdpSocket, receiver: Arc<Receiver>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let address = socket.local_addr()?;
    // Without a larger buffer, only bursts are lost.
    SockRef::from(&socket).set_recv_buffer_size(BUFFER).ok();
    let task = tokio::spawn(async move {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            // An error reports that an earlier answer had no receiver; this socket never answers.
            if let Ok(length) = socket.recv(&mut buffer).await {
                receiver.datagram(buffer.get(..length).unwrap_or_default());
                for _ in 0..BURST {
                    let Ok(length) = socket.try_recv(&mut buffer) else { break };
                    receiver.datagram(buffer.get(..length).unwrap_or_default());
                }
            }
            tokio::task::yield_now().await;
        }
    });
    Ok((address, task))
}
