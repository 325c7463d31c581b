//! A span's attributes, and which of them the document already contains.

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use super::json::Members;
use crate::trace::size::beginning;

/// The maximum number of attributes: twice what a span keeps.
pub(super) const MAX: usize = 256;
/// The maximum length of a key in bytes; longer keys are cut.
const MAX_KEY: usize = 500;

/// X-Ray's limit for its own texts in bytes.
pub(super) const MAX_TEXT: usize = 250;

pub(super) struct SpanAttributes<'a> {
    all: &'a [KeyValue],
    written: [bool; MAX],
}

impl<'a> SpanAttributes<'a> {
    pub(super) fn new(span: &'a SpanData) -> Self {
        let all = &span.attributes;
        Self { all: all.get(..MAX).unwrap_or(all), written: [false; MAX] }
    }

    /// Returns the attribute's value. If a key occurs several times, the last value counts.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.all.iter().rfind(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        let Value::String(text) = self.get(key)? else { return None };
        (!text.as_str().is_empty()).then_some(text.as_str())
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        if let Value::I64(number) = self.get(key)? {
            return Some(*number);
        }
        self.text(key)?.parse().ok()
    }

    pub(super) fn first_text(&self, keys: &[&'static str]) -> Option<(&'static str, &'a str)> {
        keys.iter().find_map(|key| Some((*key, self.text(key)?)))
    }

    /// Marks an attribute as written, so that it is not repeated in the metadata.
    pub(super) fn mark_written(&mut self, key: &str) {
        let written = self.all.iter().zip(&mut self.written).filter(|(attribute, _)| attribute.key.as_str() == key);
        written.for_each(|(_, written)| *written = true);
    }

    /// Writes the first existing attribute of `keys` into the member `place` of a block, in at most `limit` bytes. A
    /// value that was cut also stays in the metadata. Returns false if no attribute exists.
    pub(super) fn write_first(
        &mut self,
        block: &mut Members<'_>,
        place: &str,
        keys: &[&'static str],
        limit: usize,
    ) -> bool {
        let Some((key, text)) = self.first_text(keys) else { return false };
        if block.text(place, text, limit) {
            self.mark_written(key);
        }
        true
    }

    /// Calls `each` with every attribute that is not written yet, under a unique key. `each` returns true for an
    /// attribute that it has written.
    pub(super) fn for_each_unwritten(&mut self, mut each: impl FnMut(&'a str, &'a Value) -> bool) {
        for (index, (attribute, written)) in self.all.iter().zip(&mut self.written).enumerate() {
            if !*written {
                let key = bounded_key(attribute);
                let replaced = self.all.iter().skip(index + 1).any(|later| bounded_key(later) == key);
                *written = replaced || each(key, &attribute.value);
            }
        }
    }
}

pub(super) fn bounded_key(attribute: &KeyValue) -> &str {
    beginning(attribute.key.as_str(), MAX_KEY)
}
