//! A span's attributes, and which of them its document says already.

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use super::json::{Members, beginning};

/// The most that is looked at: twice of what a span keeps by itself.
pub(super) const MAX: usize = 256;
/// Bytes of a key; what is longer is cut.
const MAX_KEY: usize = 500;

/// Bytes that X-Ray allows for a text of its own.
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

    /// The attribute's value. Of several with one key, the last counts.
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

    /// The document says it in a place of its own: it needs no further one.
    pub(super) fn mark_written(&mut self, key: &str) {
        let written = self.all.iter().zip(&mut self.written).filter(|(attribute, _)| attribute.key.as_str() == key);
        written.for_each(|(_, written)| *written = true);
    }

    /// Writes the first of `keys` that there is into `place` of a block, in at most `limit` bytes. As a whole it says
    /// the attribute; else that stays for the metadata. False where there is none.
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

    /// Calls `each` with every attribute that is not written yet, under a key that no other has. What `each`
    /// says itself, by answering true, is not seen again.
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
