//! AWS X-Ray, through the daemon's UDP protocol: one document in one datagram, with all spans of an invocation where
//! it is not too large for them.
//!
//! Whatever a span holds, it becomes a document that X-Ray takes:
//! - `place`: its ids, times and name, and what X-Ray's map draws of it.
//! - `blocks`: what X-Ray filters by: `http`, `aws`, `sql`.
//! - `failure`, `annotations`, `metadata`: all else, so that nothing is left out.
//! - `document`: these in one, and the spans below it, within X-Ray's limit.
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
pub(crate) use document::Document;
use document::{Documents, Form};

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
    pub(crate) fn documents(&self, finished: &[Finished], account: &Account) -> Vec<Document> {
        let mut documents = Vec::new();
        for Finished { xray, spans, .. } in finished.iter().filter(|finished| finished.to.xray()) {
            if xray.sampled {
                self.documents.of_invocation(spans, xray.parent, &mut documents);
            } else {
                account.sampled_out(spans.len());
            }
        }
        documents
    }

    /// The documents of an invocation's open spans. In X-Ray the document of a span that has ended replaces them.
    pub(crate) fn in_progress(&self, open: &[SpanData], context: XrayContext) -> Vec<Document> {
        let open = open.iter().filter(|_| context.sampled);
        open.map(|span| self.documents.alone(span, context.parent, Form::Open)).collect()
    }

    /// A way to the same daemon for a thread without a runtime.
    pub(crate) fn blocking_daemon(&self) -> BlockingDaemon {
        BlockingDaemon::new(self.daemon.address().to_owned())
    }

    pub(crate) async fn send(&self, documents: Vec<Document>, limit: Duration, account: &Account) {
        self.daemon.send(documents, limit, account).await;
    }
}
