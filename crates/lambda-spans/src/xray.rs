//! AWS X-Ray, through the daemon's UDP protocol: one document in one datagram, with all spans of an invocation where
//! it is not too large for them.
//!
//! Whatever a span holds, it becomes a document that X-Ray takes:
//! - `place`: its ids, times and name, and what X-Ray's map draws of it.
//! - `http_block`, `aws_block`, `sql_block`: what X-Ray filters by. Their attributes are not repeated in the metadata.
//! - `failure`, `annotations`, `metadata`: all else, so that nothing is left out.
//! - `document`: these in one, and the spans below it, within X-Ray's limit.
//! - `daemon`: to the daemon, no faster than it reads.

mod annotations;
mod aws_block;
mod daemon;
pub(crate) mod document;
mod failure;
mod http_block;
mod json;
mod limits;
mod metadata;
mod name;
mod place;
mod role;
mod span_attributes;
mod sql_block;
#[cfg(test)]
mod tests;

use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::trace::accounting::Account;
use crate::trace::destinations::Destination;
use crate::trace::finished::{FinishedSpans, XrayContext};
use annotations::AnnotationKeys;
use daemon::Daemon;
use daemon::blocking::BlockingDaemon;
use document::{Document, Documents};
use role::Form;

#[derive(Debug)]
pub(crate) struct Xray {
    documents: Documents,
    daemon: Daemon,
}

impl Xray {
    /// `annotate`: the attributes that can be searched for in X-Ray, by their keys, or by beginnings of keys
    /// that end with `.` or `*`.
    pub(crate) fn new(address: String, resource: &Resource, annotate: Vec<String>) -> Self {
        Self { documents: Documents::new(resource, AnnotationKeys::new(annotate)), daemon: Daemon::new(address) }
    }

    /// The documents of all spans that X-Ray samples.
    pub(crate) fn documents(&self, finished: &[FinishedSpans], account: &Account) -> Vec<Document> {
        let mut documents = Vec::new();
        let finished = finished.iter().filter(|finished| finished.destinations.contains(Destination::Xray));
        for FinishedSpans { xray, spans, .. } in finished {
            if xray.sampled {
                self.documents.for_invocation(spans, xray.parent, &mut documents);
            } else {
                account.sampled_out(spans.len());
            }
        }
        documents
    }

    /// The documents of an invocation's open spans. In X-Ray the document of a span that has ended replaces them.
    pub(crate) fn in_progress(&self, open: &[SpanData], context: XrayContext) -> Vec<Document> {
        let open = open.iter().filter(|_| context.sampled);
        open.map(|span| self.documents.single(span, context.parent, Form::Open)).collect()
    }

    /// A way to the same daemon for a thread without a runtime.
    pub(crate) fn blocking_daemon(&self) -> BlockingDaemon {
        BlockingDaemon::new(self.daemon.address().to_owned())
    }

    pub(crate) async fn send(&self, documents: Vec<Document>, limit: Duration, account: &Account) {
        self.daemon.send(documents, limit, account).await;
    }
}
