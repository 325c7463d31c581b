//! One span's document, in the datagram that it travels in.

use opentelemetry::SpanId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use super::annotations::Annotated;
use super::attributes::Attributes;
use super::blocks::{aws, http, sql};
use super::daemon::HEADER;
use super::failure::Failure;
use super::json::Members;
use super::place::{Place, Role};
use super::{metadata, name};

/// What most documents need, in bytes.
const USUAL: usize = 2048;

/// X-Ray's limit for a document is 64 KB. This, header and all, is within each reading of it, and below what
/// UDP carries.
pub(super) const MAX_DATAGRAM: usize = 64_000;

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
    service: String,
    /// Where a segment ran. A subsegment's place is its segment's.
    origin: Option<&'static str>,
    annotated: Annotated,
}

impl Documents {
    pub(super) fn new(resource: &Resource, annotated: Annotated) -> Self {
        let of = |key: &'static str| resource.get_ref(&key.into()).map_or_else(String::new, ToString::to_string);
        let origin = (of("cloud.platform") == "aws_lambda").then_some("AWS::Lambda::Function");
        Self { service: name::clean(&of("service.name")).into_owned(), origin, annotated }
    }

    /// The datagram of one span. `parent` is the segment that X-Ray already holds for the root span.
    pub(super) fn datagram(&self, span: &SpanData, parent: Option<SpanId>, progress: Progress) -> Vec<u8> {
        let written = LEVELS.iter().find_map(|limits| self.written(span, parent, progress, limits));
        written.unwrap_or_else(|| self.bare(span, parent, progress))
    }

    /// None where it is too large.
    fn written(&self, span: &SpanData, parent: Option<SpanId>, progress: Progress, limits: &Limits) -> Option<Vec<u8>> {
        let mut attributes = Attributes::of(span);
        let place = Place::of(span, parent, &attributes, &self.service);
        let failure = Failure::of(span, &attributes);
        let datagram = datagram(|document| {
            place.write(document, span, progress, self.origin);
            http::write(place.role, &mut attributes, document);
            aws::write(place.role, &mut attributes, document);
            if place.role == Role::Sql {
                sql::write(&mut attributes, document);
            }
            failure.write(document, span, &attributes, place.role.is_call(), limits);
            self.annotated.write(document, &mut attributes);
            metadata::write(document, span, &place, &mut attributes, failure, limits);
        });
        (datagram.len() <= MAX_DATAGRAM).then_some(datagram)
    }

    /// The last resort: what the trace is drawn by.
    fn bare(&self, span: &SpanData, parent: Option<SpanId>, progress: Progress) -> Vec<u8> {
        let attributes = Attributes::of(span);
        datagram(|document| {
            Place::of(span, parent, &attributes, &self.service).write(document, span, progress, self.origin);
            Failure::of(span, &attributes).write_flags(document);
            document.object("metadata", |metadata| metadata.yes("lambda_spans.truncated"));
        })
    }
}

fn datagram(write: impl FnOnce(&mut Members<'_>)) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(USUAL);
    datagram.extend_from_slice(HEADER);
    datagram.push(b'{');
    write(&mut Members::first(&mut datagram));
    datagram.push(b'}');
    datagram
}
