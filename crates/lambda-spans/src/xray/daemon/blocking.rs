//! The same protocol for a thread without a runtime, while the runtime's thread is blocked.

use std::io;
use std::net::ToSocketAddrs as _;
use std::thread;
use std::time::{Duration, Instant};

use super::socket::{SendOutcome, Socket};
use super::{Daemon, Turn};
use crate::trace::accounting::{Account, DropReason};
use crate::xray::document::Document;

impl Daemon {
    /// Sends documents through a socket of this call for at most `limit`. The rest waits for the next export.
    pub(in crate::xray) fn send_from_thread(&self, documents: Vec<Document>, limit: Duration, account: &Account) {
        let until = Instant::now() + limit;
        self.enqueue(documents, account);
        let sent = self.address.to_socket_addrs().and_then(Socket::connected);
        let sent = match sent {
            Ok(socket) => self.send_until(&socket, until, account),
            Err(error) => {
                self.drop_all(account);
                Err(error)
            }
        };
        self.line().queue.drop_uncounted();
        self.log_change(sent);
    }

    fn send_until(&self, socket: &Socket, until: Instant, account: &Account) -> io::Result<()> {
        let mut sent = Ok(());
        self.line().pace.begin(Instant::now());
        loop {
            let now = Instant::now();
            let document = match self.turn(now) {
                Turn::Send(document) => document,
                Turn::Wait(pause) if now + pause < until => {
                    #[expect(clippy::disallowed_methods, reason = "this thread has no runtime that it could stop")]
                    thread::sleep(pause);
                    continue;
                }
                Turn::Wait(_) | Turn::Done => return sent,
            };
            match socket.send(&document.datagram) {
                SendOutcome::Sent | SendOutcome::SentAfter(_) => account.exported(document.spans),
                // Only a socket that never waits is full.
                SendOutcome::Full => account.dropped(DropReason::Unsent, document.spans),
                SendOutcome::Failed(error) => {
                    account.dropped(DropReason::Unsent, document.spans);
                    sent = Err(error);
                }
            }
        }
    }
}
