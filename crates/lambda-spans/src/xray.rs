//! AWS X-Ray, through the daemon's UDP protocol: one document in one datagram for each span.
//!
//! Whatever a span holds, it becomes a document that X-Ray takes:
//! - `place`: its ids, times and name, and what X-Ray's map draws of it.
//! - `blocks`: what X-Ray filters by: `http`, `aws`, `sql`.
//! - `failure`, `annotations`, `metadata`: all else, so that nothing is left out.
//! - `document`: these in one, within X-Ray's limit.
//! - `daemon`: to the daemon, no faster than it reads.

mod annotations;
mod attributes;
mod blocks;
mod daemon;
mod document;
mod failure;
mod json;
mod metadata;
mod name;
mod place;
#[cfg(test)]
mod tests;

use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::accounting::Account;
use crate::invocation::{Finished, XrayContext};
use annotations::Annotated;
pub(crate) use daemon::BlockingDaemon;
use daemon::Daemon;
use document::{Documents, Progress};

#[derive(Debug)]
pub(crate) struct Xray {
    documents: Documents,
    daemon: Daemon,
}

impl Xray {
    /// `annotate`: the attributes that can be searched for in X-Ray, by their keys, or by beginnings of keys
    /// that end with `.` or `*`.
    pub(crate) fn new(address: String, resource: &Resource, annotate: Vec<String>) -> Self {
        Self { documents: Documents::new(resource, Annotated::new(annotate)), daemon: Daemon::new(address) }
    }

    /// The documents of all spans that X-Ray samples.
    pub(crate) fn documents(&self, finished: &[Finished], account: &Account) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        for Finished { xray, spans, .. } in finished.iter().filter(|finished| finished.to.xray()) {
            if !xray.sampled {
                account.sampled_out(spans.len());
                continue;
            }
            documents.extend(spans.iter().map(|span| self.documents.datagram(span, xray.parent, Progress::Finished)));
        }
        documents
    }

    /// The datagrams of an invocation's open spans. In X-Ray the document of a span that has ended replaces them.
    pub(crate) fn in_progress(&self, open: &[SpanData], context: XrayContext) -> Vec<Vec<u8>> {
        let open = open.iter().filter(|_| context.sampled);
        open.map(|span| self.documents.datagram(span, context.parent, Progress::Open)).collect()
    }

    /// A way to the same daemon for a thread without a runtime.
    pub(crate) fn blocking_daemon(&self) -> BlockingDaemon {
        BlockingDaemon::new(self.daemon.address().to_owned())
    }

    pub(crate) async fn send(&self, documents: Vec<Vec<u8>>, limit: Duration, account: &Account) {
        self.daemon.send(documents, limit, account).await;
    }
}
