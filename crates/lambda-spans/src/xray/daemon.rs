//! The X-Ray daemon's UDP protocol: one datagram for each document.

pub(super) mod blocking;
mod pace;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::document::Document;
use crate::trace::accounting::{Account, DropReason};
use pace::Pace;
use socket::{SendOutcome, Socket};

/// How long a name that could not be resolved is not asked for again: each time costs the whole budget where
/// the resolver does not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How long to wait for a send buffer that is full.
const FULL: Duration = Duration::from_millis(1);

/// Where the documents go.
#[derive(Debug)]
pub(super) struct Daemon {
    address: String,
    connection: tokio::sync::Mutex<Connection>,
    pace: Mutex<Pace>,
    failing: AtomicBool,
}

#[derive(Debug)]
enum Connection {
    Unresolved,
    Connected(Arc<Socket>),
    FailedUntil(Instant),
}

impl Daemon {
    pub(super) fn new(address: String) -> Self {
        let pace = Mutex::new(Pace::new(Instant::now().into_std()));
        let connection = tokio::sync::Mutex::new(Connection::Unresolved);
        Self { address, connection, pace, failing: AtomicBool::new(false) }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends each document as one datagram. A document that cannot be sent takes no other with it. Each span of it is
    /// counted once, as exported or as dropped, also where the caller stops waiting.
    pub(super) async fn send(&self, documents: Vec<Document>, limit: Duration, account: &Account) {
        if documents.is_empty() {
            return;
        }
        let mut unsent = Unsent { spans: documents.iter().map(|document| document.spans).sum(), account };
        self.pace().begin(Instant::now().into_std());
        let sending = async {
            let socket = self.socket().await?;
            let mut sent = Ok(());
            for document in &documents {
                sent = self.send_one(&socket, document, &mut unsent).await.and(sent);
            }
            sent
        };
        let sent = timeout(limit, sending).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
        if sent.is_err() && self.address.parse::<SocketAddr>().is_err() {
            self.resolve_again();
        }
        self.log_change(sent);
    }

    async fn send_one(&self, socket: &Socket, document: &Document, unsent: &mut Unsent<'_>) -> io::Result<()> {
        loop {
            let pause = self.pace().pause(document.datagram.len(), Instant::now().into_std());
            let Some(pause) = pause else { break };
            sleep(pause).await;
        }
        loop {
            match socket.send(&document.datagram) {
                SendOutcome::Sent => {
                    unsent.is_exported(document.spans);
                    return Ok(());
                }
                SendOutcome::SentAfter(refusal) => {
                    unsent.is_exported(document.spans);
                    return Err(refusal);
                }
                SendOutcome::Failed(error) => return Err(error),
                SendOutcome::Full => sleep(FULL).await,
            }
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn socket(&self) -> io::Result<Arc<Socket>> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            Connection::Connected(socket) => return Ok(Arc::clone(socket)),
            Connection::FailedUntil(then) if Instant::now() < *then => return Err(io::ErrorKind::NotConnected.into()),
            Connection::FailedUntil(_) | Connection::Unresolved => {}
        }
        // Stands where the caller does not wait for the end of this.
        *connection = Connection::FailedUntil(Instant::now() + AFTER_FAILURE);
        let socket = Arc::new(Socket::connected(tokio::net::lookup_host(&self.address).await?)?);
        socket.never_wait()?;
        *connection = Connection::Connected(Arc::clone(&socket));
        Ok(socket)
    }

    /// A daemon that was started anew may have another address under its name.
    fn resolve_again(&self) {
        // Where it is locked, it is resolved at this time.
        if let Ok(mut connection) = self.connection.try_lock()
            && matches!(*connection, Connection::Connected(_))
        {
            *connection = Connection::Unresolved;
        }
    }

    /// One line at each change of state.
    fn log_change(&self, sent: io::Result<()>) {
        let failed = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match sent {
            Err(error) if !failed => warn!(
                %error,
                address = self.address,
                "spans cannot be sent to the X-Ray daemon; further failures are counted, not logged"
            ),
            Ok(()) if failed => info!(address = self.address, "spans are sent to the X-Ray daemon again"),
            Ok(()) | Err(_) => {}
        }
    }
}

/// Spans whose documents are not sent yet. What is left of them when this is dropped is lost.
struct Unsent<'a> {
    spans: usize,
    account: &'a Account,
}

impl Unsent<'_> {
    fn is_exported(&mut self, spans: usize) {
        self.spans -= spans;
        self.account.exported(spans);
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.account.dropped(DropReason::Unsent, self.spans);
    }
}
