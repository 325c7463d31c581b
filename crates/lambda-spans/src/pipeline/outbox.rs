//! Finished work that no destination has seen yet.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::accounting::{Accounts, Why};
use crate::invocation::Finished;

/// What waits at most for the next export, in spans.
const MAX_WAITING: usize = 16 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Waiting>);

#[derive(Debug)]
struct Waiting {
    finished: Mutex<Vec<Finished>>,
    arrived: Notify,
    accounts: Accounts,
    xray: bool,
    otlp: bool,
}

impl Outbox {
    /// An outbox for the destinations that are there.
    pub(super) fn new(accounts: Accounts, xray: bool, otlp: bool) -> Self {
        Self(Arc::new(Waiting { finished: Mutex::default(), arrived: Notify::new(), accounts, xray, otlp }))
    }

    pub(crate) fn put(&self, work: Finished) {
        let (spans, to) = (work.spans.len(), work.to);
        let mut finished = self.0.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: usize = finished.iter().map(|finished| finished.spans.len()).sum();
        let room = waiting + spans <= MAX_WAITING;
        if room {
            finished.push(work);
        }
        drop(finished);
        let destinations =
            [(self.0.xray && to.xray(), self.0.accounts.xray()), (self.0.otlp && to.otlp(), self.0.accounts.otlp())];
        for (meant, account) in destinations {
            if meant {
                account.entered(spans);
                account.dropped(Why::Overflowed, if room { 0 } else { spans });
            }
        }
        self.0.arrived.notify_one();
    }

    /// Ends when something was put in since the last call.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    pub(super) fn take(&self) -> Vec<Finished> {
        mem::take(&mut *self.0.finished.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
