//! The X-Ray daemon's UDP protocol: one datagram per document.

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

/// How long a failed name resolution is not retried. If the resolver does not answer, each attempt costs the whole
/// budget.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How long to wait if the send buffer is full.
const FULL: Duration = Duration::from_millis(1);

/// Sends documents to the daemon.
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

    /// Sends each document as one datagram. A document that cannot be sent does not affect the others. Each span counts
    /// once, as exported or as dropped, even if the caller stops waiting.
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
        // Remains in effect if the caller stops waiting during the resolution.
        *connection = Connection::FailedUntil(Instant::now() + AFTER_FAILURE);
        let socket = Arc::new(Socket::connected(tokio::net::lookup_host(&self.address).await?)?);
        socket.never_wait()?;
        *connection = Connection::Connected(Arc::clone(&socket));
        Ok(socket)
    }

    /// A restarted daemon may have another address under the same name.
    fn resolve_again(&self) {
        // If it is locked, another task is resolving the name.
        if let Ok(mut connection) = self.connection.try_lock()
            && matches!(*connection, Connection::Connected(_))
        {
            *connection = Connection::Unresolved;
        }
    }

    /// Logs one line per change of state.
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

/// Spans whose documents have not been sent. Dropping this counts the remaining spans as dropped.
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
