//! The same from a thread that has no runtime.

use std::net::ToSocketAddrs as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::pace::Pace;
use super::socket::{SendOutcome, Socket};
use crate::xray::document::Document;

/// Sends to the daemon while the runtime's own thread is not to be had, with a socket of its own.
#[derive(Debug)]
pub(crate) struct BlockingDaemon {
    address: String,
    connection: Mutex<Option<(Socket, Pace)>>,
}

impl BlockingDaemon {
    pub(crate) fn new(address: String) -> Self {
        Self { address, connection: Mutex::new(None) }
    }

    /// Resolves the address before there is haste. A failure is no more than that: `send` tries again.
    pub(crate) fn connect(&self) {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_none() {
            let socket = self.address.to_socket_addrs().and_then(Socket::connected);
            *connection = socket.ok().map(|socket| (socket, Pace::new(Instant::now())));
        }
    }

    /// Sends each document; the number of spans in those that were sent.
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
