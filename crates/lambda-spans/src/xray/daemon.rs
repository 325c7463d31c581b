//! The X-Ray daemon's UDP protocol: one datagram per document.

mod blocking;
mod pace;
mod queue;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};

use super::document::Document;
use crate::clock::Moment;
use crate::trace::accounting::{Account, DropReason};
use pace::Pace;
use queue::DocumentQueue;
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
    line: Mutex<Line>,
    failing: AtomicBool,
    has_overflowed: AtomicBool,
}

/// The documents that wait, and when the next one may be sent.
#[derive(Debug)]
struct Line {
    queue: DocumentQueue,
    pace: Pace,
}

#[derive(Debug)]
enum Connection {
    Unresolved,
    Connected(Arc<Socket>),
    FailedAt(Moment),
}

enum Turn {
    Send(Document),
    Wait(Duration),
    Done,
}

impl Daemon {
    pub(super) fn new(address: String) -> Self {
        let line = Line { queue: DocumentQueue::default(), pace: Pace::new(Instant::now().into_std()) };
        Self {
            address,
            connection: tokio::sync::Mutex::new(Connection::Unresolved),
            line: Mutex::new(line),
            failing: AtomicBool::new(false),
            has_overflowed: AtomicBool::new(false),
        }
    }

    /// Returns whether documents wait for the next export.
    pub(super) fn has_carried(&self) -> bool {
        !self.line().queue.is_empty()
    }

    /// Sends each waiting document as one datagram. A document that cannot be sent does not affect the others. Documents
    /// for which no time is left wait for the next call, also if the caller stops waiting.
    pub(super) async fn send(&self, limit: Duration, account: &Account) {
        if !self.has_carried() {
            return;
        }
        let until = Instant::now() + limit;
        let _end = DropUncounted(self);
        let sent = match timeout_at(until, self.socket()).await.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(socket) => {
                self.line().pace.begin(Instant::now().into_std());
                let left = until.saturating_duration_since(Instant::now());
                // A later export sends the rest.
                timeout(left, self.drain(&socket, account)).await.unwrap_or(Ok(()))
            }
            Err(error) => {
                self.drop_all(account);
                Err(error)
            }
        };
        if sent.is_err() && self.address.parse::<SocketAddr>().is_err() {
            self.resolve_again();
        }
        self.log_change(sent);
    }

    async fn drain(&self, socket: &Socket, account: &Account) -> io::Result<()> {
        let mut sent = Ok(());
        loop {
            let turn = self.turn(Instant::now().into_std());
            let document = match turn {
                Turn::Send(document) => document,
                Turn::Wait(pause) => {
                    sleep(pause).await;
                    continue;
                }
                Turn::Done => return sent,
            };
            match socket.send(&document.datagram) {
                SendOutcome::Sent => account.exported(document.spans),
                SendOutcome::SentAfter(refusal) => {
                    account.exported(document.spans);
                    sent = Err(refusal);
                }
                SendOutcome::Failed(error) => {
                    account.dropped(DropReason::Unsent, document.spans);
                    sent = Err(error);
                }
                SendOutcome::Full => {
                    self.line().put_back(document);
                    sleep(FULL).await;
                }
            }
        }
    }

    /// Takes the next document if the receiver has room for it.
    fn turn(&self, now: std::time::Instant) -> Turn {
        let mut line = self.line();
        let Some(bytes) = line.queue.next_size() else { return Turn::Done };
        match line.pace.pause(bytes, now) {
            Some(pause) => Turn::Wait(pause),
            None => line.queue.pop().map_or(Turn::Done, Turn::Send),
        }
    }

    /// Adds documents to those that wait. The oldest are dropped if too much waits.
    pub(super) fn enqueue(&self, documents: Vec<Document>, account: &Account) {
        let dropped = self.line().queue.push(documents);
        account.dropped(DropReason::Overflowed, dropped);
        if dropped > 0 && !self.has_overflowed.swap(true, Ordering::Relaxed) {
            warn!(
                spans = dropped,
                "spans for X-Ray were dropped, because exports have no time to send them; further drops are counted, \
                 not logged"
            );
        }
    }

    fn drop_all(&self, account: &Account) {
        let spans = self.line().queue.clear();
        account.dropped(DropReason::Unsent, spans);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn socket(&self) -> io::Result<Arc<Socket>> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            Connection::Connected(socket) => return Ok(Arc::clone(socket)),
            Connection::FailedAt(then) if Moment::now().since(*then) < AFTER_FAILURE => {
                return Err(io::ErrorKind::NotConnected.into());
            }
            Connection::FailedAt(_) | Connection::Unresolved => {}
        }
        // Remains in effect if the caller stops waiting during the resolution.
        *connection = Connection::FailedAt(Moment::now());
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

impl Line {
    fn put_back(&mut self, document: Document) {
        self.pace.not_sent(document.datagram.len());
        self.queue.put_back(document);
    }
}

/// Keeps documents of spans in progress from replacing the finished spans later.
struct DropUncounted<'a>(&'a Daemon);

impl Drop for DropUncounted<'_> {
    fn drop(&mut self) {
        self.0.line().queue.drop_uncounted();
    }
}
