//! Keys of the columns that Honeycomb sets. An attribute of a resource, span, event or link with such a key would
//! replace the column, because Honeycomb merges attributes last.

use opentelemetry::{Key, KeyValue};

use crate::attributes::{SAMPLE_RATE, SERVICE_NAME};

const KEYS: [&str; 10] = [
    "duration_ms",
    "error",
    "name",
    "parent_name",
    "span.kind",
    "span.num_events",
    "span.num_links",
    "status_code",
    "status_message",
    "type",
];
const PREFIXES: [&str; 3] = ["library.", "meta.", "trace."];

/// Returns an unreserved key for a resource attribute, such as `field.name` for `name`. `None` if `key` is not
/// reserved.
pub(crate) fn replacement(key: &str) -> Option<String> {
    // Every spelling of the rate is reserved, because the rate multiplies every count.
    let reserved = KEYS.contains(&key)
        || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || key.eq_ignore_ascii_case(SAMPLE_RATE);
    reserved.then(|| format!("field.{key}"))
}

/// Renames the attributes of a span, an event or a link that have reserved keys.
pub(super) fn guard(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        let key = attribute.key.as_str();
        // The service name selects the dataset. Only the resource may set it.
        let name = (key == SERVICE_NAME).then(|| format!("field.{key}"));
        if let Some(replacement) = name.or_else(|| replacement(key)) {
            attribute.key = Key::from(replacement);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_keys_are_renamed() {
        for key in ["sampleRate", "SampleRate", "trace.parent_id", "meta.signal_type", "library.name", "status_code"] {
            assert_eq!(replacement(key), Some(format!("field.{key}")), "{key}");
        }
        for key in ["service.name", "app.name", "traces", "error.type", "exception.type", "names"] {
            assert_eq!(replacement(key), None, "{key}");
        }
    }

    #[test]
    fn service_name_is_reserved_below_the_resource() {
        let mut attributes = [KeyValue::new("service.name", "other"), KeyValue::new("app.id", 1)];
        guard(&mut attributes);
        assert_eq!(attributes.map(|attribute| attribute.key.to_string()), ["field.service.name", "app.id"]);
    }
}
