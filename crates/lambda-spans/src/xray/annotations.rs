//! Annotations: the attributes that X-Ray indexes for search.

use opentelemetry::{KeyValue, Value};

use super::json::Members;
use super::span_attributes::SpanAttributes;

/// The maximum length of a text in bytes. X-Ray allows that many characters.
const MAX_TEXT: usize = 1000;

/// The attributes that become annotations.
#[derive(Debug)]
pub(super) struct AnnotationKeys {
    keys: Vec<String>,
    prefixes: Vec<String>,
}

impl AnnotationKeys {
    /// Keys, and key prefixes that end with `.` or `*`.
    pub(super) fn new(names: Vec<String>) -> Self {
        let (prefixes, keys) = names.into_iter().partition(|name: &String| name.ends_with(['.', '*']));
        let prefixes = Vec::into_iter(prefixes).map(|prefix: String| prefix.trim_end_matches('*').to_owned());
        Self { keys, prefixes: prefixes.collect() }
    }

    /// Returns whether an attribute becomes an annotation.
    pub(super) fn selects(&self, attribute: &KeyValue) -> bool {
        !attribute.key.as_str().is_empty() && self.names(attribute.key.as_str()) && is_indexed(&attribute.value)
    }

    fn names(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix)) || self.keys.iter().any(|known| known == key)
    }

    /// Writes at most `max` annotations and returns their number. An attribute that X-Ray would reject or cut stays in
    /// the metadata.
    pub(super) fn write(&self, document: &mut Members<'_>, attributes: &mut SpanAttributes<'_>, max: usize) -> usize {
        let mut written: Vec<&str> = Vec::new();
        let mut name = String::new();
        document.object("annotations", |annotations| {
            attributes.for_each_unwritten(|key, value| {
                let one_more = written.len() < max
                    && !key.is_empty()
                    && self.names(key)
                    && is_indexed(value)
                    // In X-Ray, `a.b` and `a_b` are the same key, and an object must not contain a key twice.
                    && !written.iter().any(|other| xray_key(other).eq(xray_key(key)));
                if !one_more {
                    return false;
                }
                written.push(key);
                // One buffer for the keys of all annotations.
                name.clear();
                name.reserve(key.len());
                name.extend(xray_key(key));
                annotations.value(&name, value, MAX_TEXT)
            });
        });
        written.len()
    }
}

fn is_indexed(value: &Value) -> bool {
    if let Value::F64(number) = value {
        return number.is_finite();
    }
    matches!(value, Value::Bool(_) | Value::I64(_) | Value::String(_))
}

/// Returns the key with only the characters that X-Ray allows.
fn xray_key(key: &str) -> impl Iterator<Item = char> {
    key.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_or_star_at_the_end_makes_a_prefix() {
        let annotated = AnnotationKeys::new(vec!["app.".to_owned(), "user*".to_owned(), "http.route".to_owned()]);
        assert!(annotated.names("app.now") && annotated.names("user_id") && annotated.names("user"));
        assert!(annotated.names("http.route"));
        assert!(!annotated.names("http.routes") && !annotated.names("application") && !annotated.names("app"));
    }

    #[test]
    fn star_alone_matches_every_key() {
        assert!(AnnotationKeys::new(vec!["*".to_owned()]).names("anything"));
        assert!(!AnnotationKeys::new(Vec::new()).names("anything"));
    }
}
