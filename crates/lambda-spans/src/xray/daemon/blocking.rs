//! The same protocol for a thread without a runtime.

use std::net::ToSocketAddrs as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::pace::Pace;
use super::socket::{SendOutcome, Socket};
use crate::xray::document::Document;

/// Sends to the daemon through its own socket while the runtime's thread is blocked.
#[derive(Debug)]
pub(crate) struct BlockingDaemon {
    address: String,
    connection: Mutex<Option<(Socket, Pace)>>,
}

impl BlockingDaemon {
    pub(crate) fn new(address: String) -> Self {
        Self { address, connection: Mutex::new(None) }
    }

    /// Resolves the address in advance. After a failure, `send` tries again.
    pub(crate) fn connect(&self) {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_none() {
            let socket = self.address.to_socket_addrs().and_then(Socket::connected);
            *connection = socket.ok().map(|socket| (socket, Pace::new(Instant::now())));
        }
    }

    /// Sends each document. Returns the number of spans in the documents that were sent.
    pub(crate) fn send(&self, documents: &[Document]) -> usize {
        self.connect();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((socket, pace)) = connection.as_mut() else { return 0 };
        pace.begin(Instant::now());
        let (mut sent, mut failed) = (0, false);
        for Document { datagram, spans } in documents {
            while let Some(pause) = pace.pause(datagram.len(), Instant::now()) {
                #[expect(clippy::disallowed_methods, reason = "this thread has no runtime that it could stop")]
                thread::sleep(pause);
            }
            match socket.send(datagram) {
                SendOutcome::Sent | SendOutcome::SentAfter(_) => sent += spans,
                SendOutcome::Full | SendOutcome::Failed(_) => failed = true,
            }
        }
        if failed {
            *connection = None;
        }
        sent
    }
}
