//! One span's document and its datagram.

use opentelemetry::SpanId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use super::annotations::AnnotationKeys;
use super::failure::SpanFailure;
use super::json::Members;
use super::limits::{MAX_DATAGRAM, SizeLimits};
use super::place::Place;
use super::role::{Form, Role};
use super::span_attributes::SpanAttributes;
use super::{aws_block, http_block, metadata, name, sql_block};
use crate::attributes::{CLOUD_PLATFORM, LAMBDA_SPANS_TRUNCATED, SERVICE_NAME};

/// An invocation with more spans is written as one document per span.
const MAX_COMBINED: usize = 64;
/// The usual size of a document in bytes.
const USUAL: usize = 2048;

/// The header of every datagram.
pub(super) const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";

/// One document with its datagram header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(super) datagram: Vec<u8>,
    pub(super) spans: usize,
}

impl Document {
    /// Returns the number of spans in the document.
    pub(crate) fn spans(&self) -> usize {
        self.spans
    }
}

/// Writes documents.
#[derive(Debug)]
pub(super) struct Documents {
    service: String,
    /// Where a segment ran, such as `AWS::Lambda::Function`. Subsegments inherit it.
    origin: Option<&'static str>,
    annotated: AnnotationKeys,
}

impl Documents {
    pub(super) fn new(resource: &Resource, annotated: AnnotationKeys) -> Self {
        let of = |key: &'static str| resource.get_ref(&key.into()).map_or_else(String::new, ToString::to_string);
        let origin = (of(CLOUD_PLATFORM) == "aws_lambda").then_some("AWS::Lambda::Function");
        Self { service: name::clean(&of(SERVICE_NAME)).into_owned(), origin, annotated }
    }

    /// Returns the documents of an invocation's finished spans: one document with all descendants of a span if it is
    /// small enough, else one document per span. `parent` is the segment that X-Ray already has for the root span.
    pub(super) fn for_invocation(&self, spans: &[SpanData], parent: Option<SpanId>, documents: &mut Vec<Document>) {
        let mut written = [false; MAX_COMBINED];
        if spans.len() <= MAX_COMBINED {
            let is_top = |span: &SpanData| !spans.iter().any(|above| is_below(span, above));
            let tops = spans.iter().enumerate().filter(|(_, span)| is_top(span));
            documents.extend(tops.filter_map(|(top, _)| self.combined(spans, top, parent, &mut written)));
        }
        let left = spans.iter().enumerate().filter(|(index, _)| !written.get(*index).is_some_and(|written| *written));
        documents.extend(left.map(|(_, span)| self.single(span, parent, Form::Finished)));
    }

    /// Returns the document of one span.
    pub(super) fn single(&self, span: &SpanData, parent: Option<SpanId>, form: Form) -> Document {
        let written = SizeLimits::LEVELS.iter().find_map(|limits| {
            let datagram = datagram(|document| self.write(document, span, parent, form, limits));
            (datagram.len() <= MAX_DATAGRAM).then_some(datagram)
        });
        Document { datagram: written.unwrap_or_else(|| self.minimal(span, parent, form)), spans: 1 }
    }

    /// Returns `None` and writes nothing if the document is too large.
    fn combined(
        &self,
        spans: &[SpanData],
        top: usize,
        parent: Option<SpanId>,
        written: &mut [bool; MAX_COMBINED],
    ) -> Option<Document> {
        let (before, mut after) = (count(written), *written);
        let datagram = datagram(|document| self.write_tree(document, spans, top, parent, Form::Finished, &mut after));
        if datagram.len() > MAX_DATAGRAM {
            return None;
        }
        *written = after;
        Some(Document { datagram, spans: count(written) - before })
    }

    fn write_tree(
        &self,
        document: &mut Members<'_>,
        spans: &[SpanData],
        index: usize,
        parent: Option<SpanId>,
        form: Form,
        written: &mut [bool; MAX_COMBINED],
    ) {
        let (Some(span), Some(is_written)) = (spans.get(index), written.get_mut(index)) else { return };
        *is_written = true;
        self.write(document, span, parent, form, &SizeLimits::WHOLE);
        document.objects("subsegments", |below| {
            let child = spans.iter().zip(&*written).position(|(child, written)| !written && is_below(child, span));
            child.map(|child| self.write_tree(below, spans, child, parent, Form::Inside, written)).is_some()
        });
    }

    fn write(
        &self,
        document: &mut Members<'_>,
        span: &SpanData,
        parent: Option<SpanId>,
        form: Form,
        limits: &SizeLimits,
    ) {
        let mut attributes = SpanAttributes::new(span);
        let place = Place::new(span, parent, &attributes, &self.service);
        let failure = SpanFailure::new(span, &attributes);
        place.write(document, span, form, self.origin);
        http_block::write(place.role, &mut attributes, document);
        aws_block::write(place.role, form, &mut attributes, document);
        if place.role == Role::Sql {
            sql_block::write(&mut attributes, document);
        }
        failure.write(document, span, &attributes, place.role.is_call(), limits);
        self.annotated.write(document, &mut attributes);
        metadata::write(document, span, &place, &mut attributes, failure, limits);
    }

    /// The last resort: only the fields that draw the trace.
    fn minimal(&self, span: &SpanData, parent: Option<SpanId>, form: Form) -> Vec<u8> {
        let attributes = SpanAttributes::new(span);
        datagram(|document| {
            Place::new(span, parent, &attributes, &self.service).write(document, span, form, self.origin);
            SpanFailure::new(span, &attributes).write_flags(document);
            document.object("metadata", |metadata| metadata.bool_true(LAMBDA_SPANS_TRUNCATED));
        })
    }
}

fn is_below(span: &SpanData, above: &SpanData) -> bool {
    !span.parent_span_is_remote
        && span.parent_span_id != SpanId::INVALID
        && span.parent_span_id == above.span_context.span_id()
}

fn count(written: &[bool]) -> usize {
    written.iter().filter(|written| **written).count()
}

fn datagram(write: impl FnOnce(&mut Members<'_>)) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(USUAL);
    datagram.extend_from_slice(HEADER);
    datagram.push(b'{');
    write(&mut Members::new(&mut datagram));
    datagram.push(b'}');
    datagram
}
