//! From finished invocations to the destinations, side by side and within a budget.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::accounting::Accounts;
use crate::invocation::Finished;
use crate::otlp::{Otlp, otlp_spans};
use crate::terminal;
use crate::xray::Xray;

/// What waits at most for a long-running server's next export, in spans.
const MAX_WAITING: usize = 16 * 1024;

/// Finished work that is not exported yet.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Waiting>);

#[derive(Debug)]
struct Waiting {
    finished: Mutex<Vec<Finished>>,
    arrived: Notify,
    accounts: Accounts,
}

impl Outbox {
    pub(crate) fn new(accounts: Accounts) -> Self {
        Self(Arc::new(Waiting { finished: Mutex::default(), arrived: Notify::new(), accounts }))
    }

    pub(crate) fn put(&self, work: Finished) {
        let mut finished = self.0.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: usize = finished.iter().map(|finished| finished.spans.len()).sum();
        if waiting + work.spans.len() > MAX_WAITING {
            drop(finished);
            self.0.accounts.xray().dropped(work.spans.len());
            self.0.accounts.otlp().dropped(work.spans.len());
            return;
        }
        finished.push(work);
        drop(finished);
        self.0.arrived.notify_one();
    }

    /// Ends when something was put in since the last call.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    fn take(&self) -> Vec<Finished> {
        mem::take(&mut *self.0.finished.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The destinations of this process.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) outbox: Outbox,
    pub(crate) accounts: Accounts,
    pub(crate) xray: Option<Xray>,
    pub(crate) otlp: Option<Otlp>,
    pub(crate) terminal: bool,
    otlp_failing: AtomicBool,
}

impl Pipeline {
    pub(crate) fn new(accounts: Accounts, xray: Option<Xray>, otlp: Option<Otlp>, terminal: bool) -> Self {
        let outbox = Outbox::new(accounts.clone());
        Self { outbox, accounts, xray, otlp, terminal, otlp_failing: AtomicBool::new(false) }
    }

    /// Exports what is finished. Takes no longer than `limit`, and never fails its caller.
    pub(crate) async fn flush(&self, limit: Duration) {
        let finished = self.outbox.take();
        if finished.is_empty() {
            return;
        }
        if self.terminal {
            finished.iter().for_each(terminal::print);
        }
        let documents = self.xray.as_ref().map(|xray| xray.documents(&finished, self.accounts.xray()));
        let to_xray = async {
            if let (Some(xray), Some(documents)) = (&self.xray, documents) {
                xray.send(documents, limit, self.accounts.xray()).await;
            }
        };
        let to_otlp = async {
            if let Some(otlp) = &self.otlp {
                self.export(otlp, otlp_spans(finished), limit).await;
            }
        };
        tokio::join!(to_xray, to_otlp);
    }

    async fn export(&self, otlp: &Otlp, spans: Vec<SpanData>, limit: Duration) {
        let count = spans.len();
        let problem = match tokio::time::timeout(limit, otlp.export(spans)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within the budget of {} ms", limit.as_millis())),
        };
        match problem {
            None => self.accounts.otlp().exported(count),
            Some(_) => self.accounts.otlp().dropped(count),
        }
        // One line at each change of state: a dead receiver must not fill the log.
        match (problem, self.otlp_failing.load(Ordering::Relaxed)) {
            (Some(problem), false) => {
                self.otlp_failing.store(true, Ordering::Relaxed);
                warn!(
                    problem,
                    spans = count,
                    "spans could not be exported by OTLP; further failures are counted, not logged"
                );
            }
            (None, true) => {
                self.otlp_failing.store(false, Ordering::Relaxed);
                info!("spans are exported by OTLP again");
            }
            (Some(_), true) | (None, false) => {}
        }
    }
}
