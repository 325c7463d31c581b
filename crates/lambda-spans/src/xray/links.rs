//! Links: a field of a segment. For a subsegment, where X-Ray documents no such field, they are metadata.

use opentelemetry::trace::Link;
use opentelemetry_sdk::trace::SpanData;

use super::inner::{write_count, write_inner};
use super::json::Members;
use super::limits::SizeLimits;

const LINKS: &str = "links";

/// Writes the links of a segment, in the form of the OpenTelemetry Collector's exporter. Returns the number of omitted
/// links.
pub(super) fn write_field(segment: &mut Members<'_>, span: &SpanData, limits: &SizeLimits) -> usize {
    segment.list(LINKS, span.links.iter(), limits.list, |members, link: &Link| {
        members.trace_id("trace_id", link.span_context.trace_id());
        members.hex("id", &link.span_context.span_id().to_bytes());
        write_inner(members, &link.attributes, limits);
    })
}

/// Writes the links of a subsegment into a namespace of its metadata. Returns the number of omitted links.
pub(super) fn write_metadata(namespace: &mut Members<'_>, span: &SpanData, limits: &SizeLimits) -> usize {
    namespace.list(LINKS, span.links.iter(), limits.list, |members, link: &Link| {
        members.hex("trace_id", &link.span_context.trace_id().to_bytes());
        members.hex("span_id", &link.span_context.span_id().to_bytes());
        let left_out = write_inner(members, &link.attributes, limits);
        write_count(members, "dropped_attributes", link.dropped_attributes_count, left_out);
    })
}
