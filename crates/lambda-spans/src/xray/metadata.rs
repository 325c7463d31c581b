//! Metadata: what X-Ray keeps without an index, such as other attributes and events.
//!
//! It maps namespaces to objects. Attributes have one namespace and values of this library another, so that their keys
//! cannot collide.

use opentelemetry::trace::{Event, Status};
use opentelemetry_sdk::trace::SpanData;

use super::failure::SpanFailure;
use super::inner::{write_count, write_inner};
use super::json::Members;
use super::limits::{MAX_DATAGRAM, SizeLimits};
use super::links;
use super::place::Place;
use super::role::{Extent, Role};
use super::span_attributes::{MAX as MAX_ATTRIBUTES, SpanAttributes};
use crate::attributes::{
    ERROR_TYPE, LAMBDA_SPANS_LEFT_OUT, LAMBDA_SPANS_OMITTED, LAMBDA_SPANS_SAMPLE_RATE, LAMBDA_SPANS_TRUNCATED,
};

/// X-Ray's own name for attributes without a namespace.
const ATTRIBUTES: &str = "default";
const OWN: &str = "lambda_spans";

/// Writes the metadata and, before it, the links of a segment. `about` says what the destinations do not get.
pub(super) fn write(
    document: &mut Members<'_>,
    span: &SpanData,
    place: &Place<'_>,
    attributes: &mut SpanAttributes<'_>,
    failure: SpanFailure,
    about: Extent,
    limits: &SizeLimits,
) {
    let field = (place.role == Role::Segment).then(|| links::write_field(document, span, limits));
    document.object("metadata", |metadata| {
        metadata.object(ATTRIBUTES, |members| write_attributes(members, attributes, limits));
        metadata.object(OWN, |own| {
            write_count(own, LAMBDA_SPANS_OMITTED, 0, about.omitted);
            if let Some(reason) = about.left_out {
                own.word(LAMBDA_SPANS_LEFT_OUT, reason.name());
                if let Some(rate) = reason.rate() {
                    own.number(LAMBDA_SPANS_SAMPLE_RATE, rate);
                }
            }
            if limits.cut {
                own.bool_true(LAMBDA_SPANS_TRUNCATED);
            }
            if place.is_renamed {
                own.text("span.name", &span.name, limits.inner());
            }
            if let Status::Error { description } = &span.status
                && !description.is_empty()
                && !failure.is_from_status()
            {
                own.text("span.status", description, limits.inner());
            }
            let events = span.events.iter().filter(|event| !failure.covers(event));
            let events_left_out = own.list("events", events, limits.list, |members, event| {
                write_event(members, event, limits);
            });
            let links_left_out = field.unwrap_or_else(|| links::write_metadata(own, span, limits));
            let attributes_left_out = span.attributes.len().saturating_sub(MAX_ATTRIBUTES);
            write_count(own, "dropped_attributes", span.dropped_attributes_count, attributes_left_out);
            write_count(own, "dropped_events", span.events.dropped_count, events_left_out);
            write_count(own, "dropped_links", span.links.dropped_count, links_left_out);
        });
    });
}

/// Writes that the document contains only the fields that draw the trace.
pub(super) fn write_truncated(document: &mut Members<'_>) {
    document.object("metadata", |metadata| metadata.object(OWN, |own| own.bool_true(LAMBDA_SPANS_TRUNCATED)));
}

fn write_attributes(members: &mut Members<'_>, attributes: &mut SpanAttributes<'_>, limits: &SizeLimits) {
    let end = members.len() + MAX_DATAGRAM;
    attributes.for_each_unwritten(|key, value| {
        let limit = if is_kept(key) { limits.kept } else { limits.other };
        // A document that is too large is written again with lower limits.
        if limit > 0 && members.len() <= end {
            members.value(key, value, limit);
        }
        true
    });
}

/// The attributes that readers of a trace need most are cut last.
fn is_kept(key: &str) -> bool {
    key == ERROR_TYPE || ["app.", "http.", "aws."].iter().any(|prefix| key.starts_with(prefix))
}

fn write_event(members: &mut Members<'_>, event: &Event, limits: &SizeLimits) {
    members.text("name", &event.name, limits.inner());
    members.time("time", event.timestamp);
    let left_out = write_inner(members, &event.attributes, limits);
    write_count(members, "dropped_attributes", event.dropped_attributes_count, left_out);
}
