//! AWS X-Ray, by the daemon's UDP protocol: one document per datagram, with all spans of an invocation if they fit.
//!
//! Every span becomes a document that X-Ray accepts:
//! - `place`: ids, times, name and the node on X-Ray's map.
//! - `http_block`, `aws_block`, `sql_block`: what X-Ray filters by. Their attributes are not repeated in the metadata.
//! - `failure`, `annotations`, `metadata`: everything else, so that nothing is lost.
//! - `document`: all of these and the child spans, within X-Ray's limit.
//! - `daemon`: sends documents no faster than the daemon reads.

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

use crate::attributes::CLIENT_TRACE_ID;
use crate::trace::accounting::{Account, Destination};
use crate::trace::finished::{FinishedSpans, XrayContext};
use crate::variables::Reader;
use annotations::AnnotationKeys;
use daemon::Daemon;
use daemon::blocking::BlockingDaemon;
use document::{Document, Documents};
use role::Form;

/// The daemon's address, and which attributes become annotations.
#[derive(Clone, Debug)]
pub(crate) struct XraySettings {
    pub(crate) daemon: String,
    /// Keys, or prefixes of keys that end with `.` or `*`.
    annotations: Vec<String>,
}

impl XraySettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let annotations = reader.text("LAMBDA_SPANS_XRAY_ANNOTATIONS").map_or_else(
            || vec!["app.".to_owned(), CLIENT_TRACE_ID.to_owned()],
            |keys| keys.split(',').map(|key| key.trim().to_owned()).collect(),
        );
        Some(Self { daemon: reader.daemon_address("AWS_XRAY_DAEMON_ADDRESS")?, annotations })
    }
}

#[derive(Debug)]
pub(crate) struct Xray {
    documents: Documents,
    daemon: Daemon,
}

impl Xray {
    pub(crate) fn new(settings: XraySettings, resource: &Resource) -> Self {
        let documents = Documents::new(resource, AnnotationKeys::new(settings.annotations));
        Self { documents, daemon: Daemon::new(settings.daemon) }
    }

    /// Returns the documents of all spans that X-Ray samples.
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

    /// Returns documents for an invocation's open spans. The final document of a span replaces its earlier one.
    pub(crate) fn in_progress(&self, open: &[SpanData], context: XrayContext) -> Vec<Document> {
        let open = open.iter().filter(|_| context.sampled);
        open.map(|span| self.documents.single(span, context.parent, Form::Open)).collect()
    }

    /// Returns a sender to the same daemon for a thread without a runtime.
    pub(crate) fn blocking_daemon(&self) -> BlockingDaemon {
        BlockingDaemon::new(self.daemon.address().to_owned())
    }

    pub(crate) async fn send(&self, documents: Vec<Document>, limit: Duration, account: &Account) {
        self.daemon.send(documents, limit, account).await;
    }
}
