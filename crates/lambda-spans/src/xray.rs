//! AWS X-Ray, through the daemon's UDP protocol: one document in one datagram for each span.
//!
//! Whatever a span holds, it becomes a document that X-Ray takes:
//! - `normalise`: the span as the translator of `opentelemetry-aws` takes it without loss. It says the place in
//!   the trace, the times, and the `http`, `aws` and `sql` blocks.
//! - `failure`, `annotations`, `metadata`: what it loses or gets wrong, written beside.
//! - `document`: both in one, within X-Ray's limit.
//! - `daemon`: to the daemon, no faster than it reads.

mod annotations;
mod attributes;
mod daemon;
mod document;
mod failure;
mod json;
mod metadata;
mod normalise;
#[cfg(test)]
mod tests;

use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::accounting::{Account, Why};
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
            for span in spans {
                match self.documents.datagram(span, xray.parent, Progress::Finished) {
                    Some(document) => documents.push(document),
                    None => account.dropped(Why::Refused, 1),
                }
            }
        }
        documents
    }

    /// The datagrams of an invocation's open spans. In X-Ray the document of a span that has ended replaces them.
    pub(crate) fn in_progress(&self, open: &[SpanData], context: XrayContext) -> Vec<Vec<u8>> {
        let open = open.iter().filter(|_| context.sampled);
        open.filter_map(|span| self.documents.datagram(span, context.parent, Progress::Open)).collect()
    }

    /// A way to the same daemon for a thread without a runtime.
    pub(crate) fn blocking_daemon(&self) -> BlockingDaemon {
        BlockingDaemon::new(self.daemon.address().to_owned())
    }

    pub(crate) async fn send(&self, documents: Vec<Vec<u8>>, limit: Duration, account: &Account) {
        self.daemon.send(documents, limit, account).await;
    }
}
