//! Finished spans that no destination has received yet.

use std::mem;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::trace::accounting::{Accounts, Destinations, DropReason};
use crate::trace::finished::{FinishedSpans, SpanSink};

/// The maximum number of spans that wait for the next export.
const MAX_WAITING: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Outbox {
    finished: Mutex<Vec<FinishedSpans>>,
    arrived: Notify,
    accounts: Accounts,
    configured: Destinations,
}

impl Outbox {
    pub(super) fn new(accounts: Accounts, configured: Destinations) -> Self {
        Self { finished: Mutex::default(), arrived: Notify::new(), accounts, configured }
    }

    /// Completes when spans were accepted since the last call.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn take(&self) -> Vec<FinishedSpans> {
        mem::take(&mut *self.finished.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SpanSink for Outbox {
    fn accept(&self, work: FinishedSpans) {
        let (spans, destinations) = (work.spans.len(), work.destinations);
        let reason = if work.orphan { DropReason::Orphaned } else { DropReason::Overflowed };
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: usize = finished.iter().map(|finished| finished.spans.len()).sum();
        let has_room = waiting + spans <= MAX_WAITING;
        if has_room {
            finished.push(work);
        }
        drop(finished);
        for destination in self.configured.intersection(destinations).iter() {
            let account = self.accounts.account(destination);
            account.entered(spans);
            account.dropped(reason, if has_room { 0 } else { spans });
        }
        self.arrived.notify_one();
    }

    fn reject_orphan(&self) {
        for destination in self.configured.iter() {
            let account = self.accounts.account(destination);
            account.entered(1);
            account.dropped(DropReason::Orphaned, 1);
        }
    }
}
