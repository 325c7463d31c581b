//! The parts of events and links, and the numbers of omitted parts.

use opentelemetry::KeyValue;

use super::json::Members;
use super::limits::SizeLimits;
use super::span_attributes::bounded_key;

/// The maximum number of attributes of one event or link.
const MAX_INNER: usize = 32;

/// Writes the attributes of an event or link. Returns the number of omitted attributes.
pub(super) fn write_inner(members: &mut Members<'_>, attributes: &[KeyValue], limits: &SizeLimits) -> usize {
    let written = attributes.get(..MAX_INNER).unwrap_or(attributes);
    members.object("attributes", |members| {
        for (index, attribute) in written.iter().enumerate() {
            let key = bounded_key(attribute);
            if !written.iter().skip(index + 1).any(|later| bounded_key(later) == key) {
                members.value(key, &attribute.value, limits.inner());
            }
        }
    });
    attributes.len() - written.len()
}

/// Writes the number of omitted parts: those that the span dropped, and those that this document omits.
pub(super) fn write_count(members: &mut Members<'_>, key: &str, dropped: u32, left_out: usize) {
    let count = i64::from(dropped).saturating_add(i64::try_from(left_out).unwrap_or(i64::MAX));
    if count > 0 {
        members.number(key, count);
    }
}
