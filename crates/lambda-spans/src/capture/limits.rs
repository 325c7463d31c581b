//! The limits of OpenTelemetry on the contents of one span.

use opentelemetry::KeyValue;

use crate::attributes;
use crate::variables::{Reader, shown};

/// The default of each limit in the OpenTelemetry specification.
const DEFAULT: usize = 128;
/// The limit of attributes for spans, events and links whose own limit is unset.
const GENERAL: &str = "OTEL_ATTRIBUTE_COUNT_LIMIT";

/// The maximum numbers of attributes, events and links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanLimits {
    pub(crate) attributes: usize,
    pub(crate) events: usize,
    pub(crate) links: usize,
    pub(crate) event_attributes: usize,
    pub(crate) link_attributes: usize,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            attributes: DEFAULT,
            events: DEFAULT,
            links: DEFAULT,
            event_attributes: DEFAULT,
            link_attributes: DEFAULT,
        }
    }
}

impl SpanLimits {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let general = limit(reader, GENERAL).unwrap_or(DEFAULT);
        Self {
            attributes: limit(reader, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT").unwrap_or(general),
            events: limit(reader, "OTEL_SPAN_EVENT_COUNT_LIMIT").unwrap_or(DEFAULT),
            links: limit(reader, "OTEL_SPAN_LINK_COUNT_LIMIT").unwrap_or(DEFAULT),
            event_attributes: limit(reader, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT").unwrap_or(general),
            link_attributes: limit(reader, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT").unwrap_or(general),
        }
    }
}

fn limit(reader: &mut Reader<'_>, name: &'static str) -> Option<usize> {
    reader.parsed(&[name], |value| {
        value.parse().ok().ok_or_else(|| format!("found {}; allowed is a whole number from 0", shown(value)))
    })
}

/// Returns whether a list of `length` attributes may get another one. The keys of this library are exempt, because
/// destinations and queries depend on them. Their number is fixed.
pub(crate) fn accepts(length: usize, limit: usize, attribute: &KeyValue) -> bool {
    length < limit || attributes::is_of_library(attribute.key.as_str())
}

/// Removes the attributes beyond `limit` and returns their number.
pub(crate) fn cut_attributes(attributes: &mut Vec<KeyValue>, limit: usize) -> u32 {
    let before = attributes.len();
    if before <= limit {
        return 0;
    }
    let mut kept = 0;
    attributes.retain(|attribute| {
        let fits = accepts(kept, limit, attribute);
        kept += usize::from(fits);
        fits
    });
    count(before - attributes.len())
}

/// Removes the items beyond `limit` and returns their number.
pub(crate) fn cut<T>(items: &mut Vec<T>, limit: usize) -> u32 {
    let dropped = items.len().saturating_sub(limit);
    items.truncate(limit);
    count(dropped)
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
