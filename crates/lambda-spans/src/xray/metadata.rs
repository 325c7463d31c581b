//! Metadata: what X-Ray keeps without an index, such as other attributes, events and links.

use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, Status};
use opentelemetry_sdk::trace::SpanData;

use super::failure::SpanFailure;
use super::json::Members;
use super::limits::{MAX_DATAGRAM, SizeLimits};
use super::place::Place;
use super::span_attributes::{MAX as MAX_ATTRIBUTES, SpanAttributes, bounded_key};
use crate::attributes::{ERROR_TYPE, LAMBDA_SPANS_TRUNCATED};

/// The maximum number of attributes of one event or link.
const MAX_INNER: usize = 32;

pub(super) fn write(
    document: &mut Members<'_>,
    span: &SpanData,
    place: &Place<'_>,
    attributes: &mut SpanAttributes<'_>,
    failure: SpanFailure,
    limits: &SizeLimits,
) {
    document.object("metadata", |metadata| {
        // Attributes have a namespace, so that their keys cannot collide with others.
        metadata.object("default", |members| write_attributes(members, attributes, limits));
        if limits.cut {
            metadata.bool_true(LAMBDA_SPANS_TRUNCATED);
        }
        if place.is_renamed {
            metadata.text("span.name", &span.name, limits.inner());
        }
        if let Status::Error { description } = &span.status
            && !description.is_empty()
            && !failure.is_from_status()
        {
            metadata.text("span.status", description, limits.inner());
        }
        let events = span.events.iter().filter(|event| !failure.covers(event));
        let events_left_out = metadata.list("events", events, limits.list, |members, event| {
            write_event(members, event, limits);
        });
        let links_left_out = metadata.list("links", span.links.iter(), limits.list, |members, link| {
            write_link(members, link, limits);
        });
        let attributes_left_out = span.attributes.len().saturating_sub(MAX_ATTRIBUTES);
        write_count(metadata, "dropped_attributes", span.dropped_attributes_count, attributes_left_out);
        write_count(metadata, "dropped_events", span.events.dropped_count, events_left_out);
        write_count(metadata, "dropped_links", span.links.dropped_count, links_left_out);
    });
}

fn write_attributes(members: &mut Members<'_>, attributes: &mut SpanAttributes<'_>, limits: &SizeLimits) {
    attributes.for_each_unwritten(|key, value| {
        let limit = if is_kept(key) { limits.kept } else { limits.other };
        // A document that is too large is written again with lower limits.
        if limit > 0 && members.len() <= MAX_DATAGRAM {
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
    write_inner(members, &event.attributes, event.dropped_attributes_count, limits);
}

fn write_link(members: &mut Members<'_>, link: &Link, limits: &SizeLimits) {
    members.text("trace_id", &link.span_context.trace_id().to_string(), usize::MAX);
    members.text("span_id", &link.span_context.span_id().to_string(), usize::MAX);
    write_inner(members, &link.attributes, link.dropped_attributes_count, limits);
}

fn write_inner(members: &mut Members<'_>, attributes: &[KeyValue], dropped: u32, limits: &SizeLimits) {
    let written = attributes.get(..MAX_INNER).unwrap_or(attributes);
    members.object("attributes", |members| {
        for (index, attribute) in written.iter().enumerate() {
            let key = bounded_key(attribute);
            if !written.iter().skip(index + 1).any(|later| bounded_key(later) == key) {
                members.value(key, &attribute.value, limits.inner());
            }
        }
    });
    write_count(members, "dropped_attributes", dropped, attributes.len() - written.len());
}

/// Writes the number of omitted parts: those that the span dropped, and those that this document omits.
fn write_count(members: &mut Members<'_>, key: &str, dropped: u32, left_out: usize) {
    let count = i64::from(dropped).saturating_add(i64::try_from(left_out).unwrap_or(i64::MAX));
    if count > 0 {
        members.number(key, count);
    }
}
