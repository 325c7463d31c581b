//! The document of one span.

use opentelemetry::SpanId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use super::annotations::AnnotationKeys;
use super::failure::SpanFailure;
use super::json::Members;
use super::limits::{MAX_DATAGRAM, SizeLimits};
use super::place::Place;
use super::role::{Extent, Form, Role};
use super::span_attributes::SpanAttributes;
use super::{aws_block, http_block, metadata, name, sql_block};
use crate::attributes::{CLOUD_PLATFORM, LAMBDA_SPANS_OMITTED, SERVICE_NAME};
use crate::trace::importance::omitted_below;
use crate::trace::tree::is_root;

/// The header of every datagram.
pub(super) const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";
/// The maximum number of bytes that the outermost span of a document needs more than a nested one.
pub(super) const MAX_OUTERMOST: usize = 256;

/// One datagram: a document, or several if X-Ray gets arrays.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(super) datagram: Vec<u8>,
    /// The number of spans that the ledger counts. 0 for a document that is not worth sending later.
    pub(super) spans: usize,
    /// Whether it is sent before the documents that wait already.
    pub(super) is_first: bool,
}

/// Writes documents.
#[derive(Debug)]
pub(super) struct Documents {
    service: String,
    /// Where a segment ran, such as `AWS::Lambda::Function`. Subsegments inherit it.
    origin: Option<&'static str>,
    annotated: AnnotationKeys,
    /// Whether a datagram may contain an array of documents.
    pub(super) arrays: bool,
}

impl Documents {
    pub(super) fn new(resource: &Resource, annotated: AnnotationKeys, arrays: bool) -> Self {
        let of = |key: &'static str| resource.get_ref(&key.into()).map_or_else(String::new, ToString::to_string);
        let origin = (of(CLOUD_PLATFORM) == "aws_lambda").then_some("AWS::Lambda::Function");
        Self { service: name::clean(&of(SERVICE_NAME)).into_owned(), origin, annotated, arrays }
    }

    /// Appends the JSON object of one span, which is small enough for a datagram. Returns the number of annotations.
    /// `parent` is the segment that X-Ray already has for the root span.
    pub(super) fn write(&self, out: &mut Vec<u8>, span: &SpanData, parent: Option<SpanId>, extent: Extent) -> usize {
        let start = out.len();
        for limits in &SizeLimits::LEVELS {
            let annotations = self.write_within(&mut object(out), span, parent, extent, limits);
            out.push(b'}');
            if out.len() - start <= MAX_DATAGRAM - HEADER.len() - MAX_OUTERMOST {
                return annotations;
            }
            out.truncate(start);
        }
        self.write_minimal(&mut object(out), span, parent, extent.form);
        out.push(b'}');
        0
    }

    fn write_within(
        &self,
        document: &mut Members<'_>,
        span: &SpanData,
        parent: Option<SpanId>,
        extent: Extent,
        limits: &SizeLimits,
    ) -> usize {
        let mut attributes = SpanAttributes::new(span);
        let place = Place::new(span, parent, &attributes, &self.service);
        let failure = SpanFailure::new(span, &attributes);
        place.write(document, span, extent.form, self.origin);
        http_block::write(place.role, &mut attributes, document);
        aws_block::write(place.role, extent.form, &mut attributes, document);
        if place.role == Role::Sql {
            sql_block::write(&mut attributes, document);
        }
        failure.write(document, span, &attributes, place.role.is_call(), limits);
        let annotations = self.annotated.write(document, &mut attributes, extent.annotations);
        let mut about = extent;
        if is_root(span) {
            attributes.mark_written(LAMBDA_SPANS_OMITTED);
            about.omitted += omitted_below(span);
        }
        metadata::write(document, span, &place, &mut attributes, failure, about, limits);
        annotations
    }

    /// The last resort: only the fields that draw the trace.
    fn write_minimal(&self, document: &mut Members<'_>, span: &SpanData, parent: Option<SpanId>, form: Form) {
        let attributes = SpanAttributes::new(span);
        Place::new(span, parent, &attributes, &self.service).write(document, span, form, self.origin);
        SpanFailure::new(span, &attributes).write_flags(document);
        metadata::write_truncated(document);
    }
}

fn object(out: &mut Vec<u8>) -> Members<'_> {
    out.push(b'{');
    Members::new(out)
}
