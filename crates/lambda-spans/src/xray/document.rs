//! One span's document, in the datagram that it travels in.

use std::slice;

use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, SpanId, Value};
use opentelemetry_aws::xray_exporter::SegmentTranslator;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use super::annotations::Annotated;
use super::attributes::Attributes;
use super::daemon::HEADER;
use super::failure::Failure;
use super::json::{Members, beginning};
use super::metadata;
use super::normalise::{self, Normal};

/// X-Ray's limit for a document is 64 KB. This, header and all, is within each reading of it, and below what
/// UDP carries.
pub(super) const MAX_DATAGRAM: usize = 64_000;

/// The resource attributes that the translator has the right place for. The service's name is not one: it is
/// the name of a segment already.
const RESOURCE: [&str; 7] =
    ["aws.ecs.", "aws.log.", "cloud.account.id", "cloud.platform", "cloud.provider", "container.", "host."];

/// How much of a span is written, in bytes.
#[derive(Debug)]
pub(super) struct Limits {
    /// Of the value of an attribute that a trace is read for.
    pub(super) kept: usize,
    /// Of the value of any other attribute; 0 leaves it out.
    pub(super) other: usize,
    /// Of all exceptions, of all events and of all links.
    pub(super) list: usize,
    /// Less than everything.
    pub(super) cut: bool,
}

impl Limits {
    /// Of a text that is no attribute of the span.
    pub(super) fn inner(&self) -> usize {
        if self.cut { self.list / 4 } else { MAX_DATAGRAM }
    }
}

/// Tried in this order until the document is small enough: so the largest is cut first, and no more than needed.
const LEVELS: [Limits; 7] = [
    Limits { kept: MAX_DATAGRAM, other: MAX_DATAGRAM, list: usize::MAX, cut: false },
    Limits { kept: MAX_DATAGRAM, other: 4096, list: 16 * 1024, cut: true },
    Limits { kept: MAX_DATAGRAM, other: 1024, list: 16 * 1024, cut: true },
    Limits { kept: MAX_DATAGRAM, other: 256, list: 8 * 1024, cut: true },
    Limits { kept: MAX_DATAGRAM, other: 0, list: 4 * 1024, cut: true },
    Limits { kept: 1024, other: 0, list: 2 * 1024, cut: true },
    Limits { kept: 128, other: 0, list: 0, cut: true },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Finished,
    /// Without an end; a later document of the same span replaces this one.
    Open,
}

/// Makes documents.
#[derive(Debug)]
pub(super) struct Documents {
    translator: SegmentTranslator,
    service: String,
    annotated: Annotated,
}

impl Documents {
    pub(super) fn new(resource: &Resource, annotated: Annotated) -> Self {
        let mut translator = SegmentTranslator::new()
            // Lambda vouches for the ids that it hands out; outside of Lambda they come from X-Ray's generator.
            .skip_timestamp_validation();
        let known = resource.iter().filter(|(key, _)| RESOURCE.iter().any(|name| key.as_str().starts_with(name)));
        let known = known.map(|(key, value)| KeyValue::new(key.clone(), short(value)));
        translator.set_resource(&Resource::builder_empty().with_attributes(known).build());
        let service = resource.get_ref(&"service.name".into()).map_or_else(String::new, ToString::to_string);
        Self { translator, service: normalise::clean(&service).into_owned(), annotated }
    }

    /// The datagram of one span. `parent` is the segment that X-Ray already holds for the root span.
    pub(super) fn datagram(&self, span: &SpanData, parent: Option<SpanId>, progress: Progress) -> Option<Vec<u8>> {
        let written = LEVELS.iter().find_map(|limits| self.written(span, parent, progress, limits));
        written.or_else(|| self.bare(span, parent, progress))
    }

    /// None where it is too large.
    fn written(&self, span: &SpanData, parent: Option<SpanId>, progress: Progress, limits: &Limits) -> Option<Vec<u8>> {
        let mut normal = Normal::of(span, parent, &self.service);
        let mut datagram = self.translated(&normal.span)?;
        if !normal.aws.is_empty() {
            insert(&mut datagram, b"\"aws\":{", |aws| normal.aws.write(aws));
        }
        extend(&mut datagram, progress, |document| {
            let failure = Failure::of(span, &normal.attributes);
            failure.write(document, span, &normal.attributes, normal.is_call(), limits);
            self.annotated.write(document, &mut normal.attributes);
            metadata::write(document, span, &mut normal, failure, limits);
        });
        (datagram.len() <= MAX_DATAGRAM).then_some(datagram)
    }

    /// The last resort: what the trace is drawn by.
    fn bare(&self, span: &SpanData, parent: Option<SpanId>, progress: Progress) -> Option<Vec<u8>> {
        let bare = Normal::bare(span, parent, &self.service);
        let mut datagram = self.translated(&bare)?;
        extend(&mut datagram, progress, |document| {
            Failure::of(span, &Attributes::of(span)).write_flags(document);
            document.object("metadata", |metadata| metadata.yes("lambda_spans.truncated"));
        });
        Some(datagram)
    }

    /// Each span by itself, so that one the translator refuses takes no other with it.
    fn translated(&self, span: &SpanData) -> Option<Vec<u8>> {
        let document = self.translator.translate_spans(slice::from_ref(span)).pop()?;
        let mut datagram = Vec::with_capacity(1024);
        datagram.extend_from_slice(HEADER);
        document.to_writer(&mut datagram);
        if span.span_kind == SpanKind::Server {
            // Said of every client's address, whether it was forwarded or not.
            remove(&mut datagram, b",\"x_forwarded_for\":true");
        }
        Some(datagram)
    }
}

/// Adds members to the document at the end of `datagram`.
fn extend(datagram: &mut Vec<u8>, progress: Progress, write: impl FnOnce(&mut Members<'_>)) {
    // The brace at the end of the translator's document.
    datagram.pop();
    if progress == Progress::Open {
        remove_number(datagram, b",\"end_time\":");
        Members::further(datagram).yes("in_progress");
    }
    write(&mut Members::further(datagram));
    datagram.push(b'}');
}

/// Where `what` begins. Within a text its quotes would be escaped, so that it is never found there.
fn find(datagram: &[u8], what: &[u8]) -> Option<usize> {
    datagram.windows(what.len()).position(|window| window == what)
}

fn remove(datagram: &mut Vec<u8>, what: &[u8]) {
    if let Some(start) = find(datagram, what) {
        datagram.drain(start..start + what.len());
    }
}

fn remove_number(datagram: &mut Vec<u8>, key: &[u8]) {
    let Some(start) = find(datagram, key) else { return };
    let number = datagram.iter().skip(start + key.len()).take_while(|byte| !matches!(byte, b',' | b'}')).count();
    datagram.drain(start..start + key.len() + number);
}

/// Adds members to the front of the object that begins with `what`, which has some already.
fn insert(datagram: &mut Vec<u8>, what: &[u8], write: impl FnOnce(&mut Members<'_>)) {
    let Some(start) = find(datagram, what) else { return };
    let rest = datagram.split_off(start + what.len());
    write(&mut Members::first(datagram));
    datagram.push(b',');
    datagram.extend_from_slice(&rest);
}

fn short(value: &Value) -> Value {
    if let Value::String(text) = value {
        return Value::from(beginning(text.as_str(), normalise::MAX_TEXT).to_owned());
    }
    value.clone()
}
