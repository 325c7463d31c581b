//! AWS X-Ray, by the daemon's UDP protocol: one document per datagram, with as many spans of an invocation as fit.
//!
//! By default, every span becomes a document that X-Ray accepts:
//! - `place`: ids, times, name and the node on X-Ray's map.
//! - `http_block`, `aws_block`, `sql_block`: what X-Ray filters by. Their attributes are not repeated in the metadata.
//! - `failure`, `annotations`, `links`, `metadata`: everything else, so that nothing is lost.
//! - `document`: all of these for one span.
//! - `invocation`, `packing`, `allowance`: the documents of all spans, within X-Ray's limits.
//! - `daemon`: sends documents no faster than the daemon reads.
//!
//! `otlp` has the other format: OTLP requests instead of documents.

mod allowance;
mod annotations;
mod aws_block;
mod daemon;
pub(crate) mod document;
mod failure;
mod http_block;
mod inner;
mod invocation;
mod json;
mod limits;
mod links;
mod metadata;
mod name;
pub(crate) mod otlp;
mod packing;
mod place;
mod role;
mod span_attributes;
mod sql_block;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use tracing::warn;

use crate::attributes::CLIENT_TRACE_ID;
use crate::trace::accounting::{Account, Destination, Destinations, DropReason};
use crate::trace::finished::{FinishedSpans, XrayContext};
use crate::variables::Reader;
use allowance::Allowances;
use annotations::AnnotationKeys;
use daemon::Daemon;
use document::{Document, Documents};
use otlp::OtlpDatagrams;

/// The memory that is kept for the next invocation.
const MAX_KEPT_BUFFER: usize = 64 * 1024;

/// The format of the daemon's datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum XrayFormat {
    /// X-Ray's own documents.
    #[default]
    Segments,
    Otlp,
}

/// Reads which attributes X-Ray indexes: keys, or prefixes of keys that end with `.` or `*`.
pub(crate) fn read_annotations(reader: &Reader<'_>) -> Vec<String> {
    reader.text("LAMBDA_SPANS_XRAY_ANNOTATIONS").map_or_else(
        || vec!["app.".to_owned(), CLIENT_TRACE_ID.to_owned()],
        |keys| keys.split(',').map(|key| key.trim().to_owned()).collect(),
    )
}

/// The daemon's address, and how documents are written.
#[derive(Clone, Debug)]
pub(crate) struct XraySettings {
    pub(crate) daemon: String,
    pub(crate) format: XrayFormat,
    /// Whether a datagram may contain an array of documents.
    arrays: bool,
}

impl XraySettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let arrays = reader.flag("LAMBDA_SPANS_XRAY_ARRAYS");
        let formats = [("segments", XrayFormat::Segments), ("otlp", XrayFormat::Otlp)];
        let format = reader.choice(&["LAMBDA_SPANS_XRAY_FORMAT"], &formats).unwrap_or_default();
        Some(Self { daemon: reader.daemon_address("AWS_XRAY_DAEMON_ADDRESS")?, format, arrays })
    }

    /// Returns the settings for documents that are sent to `daemon` one by one.
    pub(crate) fn segments(daemon: SocketAddr) -> Self {
        Self { daemon: daemon.to_string(), format: XrayFormat::Segments, arrays: false }
    }
}

#[derive(Debug)]
pub(crate) struct Xray {
    writer: Writer,
    /// The OTLP receivers, which may leave out a trace that X-Ray gets.
    receivers: Destinations,
    daemon: Daemon,
    translation: Mutex<Translation>,
    has_omitted: AtomicBool,
}

/// Writes datagrams in one of the formats.
#[derive(Debug)]
enum Writer {
    Documents(Documents),
    Otlp(OtlpDatagrams),
}

/// State that one translation keeps for the next.
#[derive(Debug, Default)]
struct Translation {
    allowances: Allowances,
    /// Memory for the spans of one invocation.
    buffer: Vec<u8>,
}

impl Xray {
    pub(crate) fn new(settings: XraySettings, annotations: Vec<String>, resource: &Resource) -> Self {
        let annotated = AnnotationKeys::new(annotations);
        let writer = match settings.format {
            XrayFormat::Segments => Writer::Documents(Documents::new(resource, annotated, settings.arrays)),
            XrayFormat::Otlp => Writer::Otlp(OtlpDatagrams::new(resource, annotated)),
        };
        Self {
            writer,
            receivers: Destinations::default(),
            daemon: Daemon::new(settings.daemon),
            translation: Mutex::default(),
            has_omitted: AtomicBool::new(false),
        }
    }

    /// Records in the root of a trace why none of `receivers` gets it.
    pub(crate) fn beside(self, receivers: Destinations) -> Self {
        Self { receivers, ..self }
    }

    /// Returns the documents of all spans that X-Ray samples, within its limit for each trace.
    pub(crate) fn documents(&self, finished: &[FinishedSpans], account: &Account) -> Vec<Document> {
        let mut documents = Vec::new();
        let finished = finished.iter().filter(|finished| finished.destinations.contains(Destination::Xray));
        for finished in finished {
            let FinishedSpans { xray, spans, .. } = finished;
            let Some(span) = spans.first() else { continue };
            if !xray.sampled {
                account.sampled_out(spans.len());
                continue;
            }
            let mut translation = self.translation.lock().unwrap_or_else(PoisonError::into_inner);
            let Translation { allowances, buffer } = &mut *translation;
            let allowance = allowances.of(span.span_context.trace_id());
            let omitted = match &self.writer {
                Writer::Documents(writer) => {
                    let about = (xray.parent, finished.left_out(self.receivers));
                    writer.for_invocation(spans, about, allowance, buffer, &mut documents)
                }
                Writer::Otlp(writer) => {
                    writer.for_invocation(finished.clone(), self.receivers, allowance, &mut documents)
                }
            };
            buffer.clear();
            buffer.shrink_to(MAX_KEPT_BUFFER);
            drop(translation);
            account.dropped(DropReason::Overflowed, omitted);
            if omitted > 0 && !self.has_omitted.swap(true, Ordering::Relaxed) {
                warn!(
                    spans = spans.len(),
                    omitted,
                    "a trace exceeds X-Ray's limit of 500 KB; X-Ray gets its root, its errors and its slowest spans; \
                     further omissions are counted, not logged"
                );
            }
        }
        documents
    }

    /// Returns documents for an invocation's open spans, the root first. The ledger counts a span when it ends, not
    /// here. None in OTLP, which has no form for a span that is in progress.
    pub(crate) fn in_progress(&self, open: &[SpanData], context: XrayContext) -> Vec<Document> {
        match &self.writer {
            Writer::Documents(writer) if context.sampled => writer.in_progress(open, context.parent),
            Writer::Documents(_) | Writer::Otlp(_) => Vec::new(),
        }
    }

    /// Returns whether a finished span replaces the same span in progress.
    pub(crate) fn replaces(&self) -> bool {
        matches!(self.writer, Writer::Documents(_))
    }

    /// Returns whether documents wait for the next export.
    pub(crate) fn has_carried(&self) -> bool {
        self.daemon.has_carried()
    }

    /// Adds documents to those that wait for an export.
    pub(crate) fn enqueue(&self, documents: Vec<Document>, account: &Account) {
        self.daemon.enqueue(documents, account);
    }

    /// Sends the waiting documents. Those for which no time is left wait for the next export.
    pub(crate) async fn send(&self, limit: Duration, account: &Account) {
        self.daemon.send(limit, account).await;
    }

    /// Sends `documents` from a thread without a runtime, and leaves the rest for the next export.
    pub(crate) fn send_from_thread(&self, documents: Vec<Document>, limit: Duration, account: &Account) {
        self.daemon.send_from_thread(documents, limit, account);
    }
}
