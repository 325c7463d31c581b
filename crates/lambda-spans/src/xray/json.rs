//! JSON, written directly into a datagram.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::TraceId;
use opentelemetry::{Array, StringValue, Value};
use serde::Serialize;

use crate::trace::size::beginning;

/// Marks a cut text.
const MARK: &str = "…";

/// The members of an object that is being written.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Members<'a> {
    /// Starts the members of an object that the caller opens and closes.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, empty: true }
    }

    /// Returns the number of bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Starts a member; the caller writes its value.
    fn member(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        // Most keys need no escapes.
        if key.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.out.push(b'"');
            self.out.extend_from_slice(key.as_bytes());
            self.out.extend_from_slice(b"\":");
            return self.out;
        }
        write_string(self.out, key, usize::MAX);
        self.out.push(b':');
        self.out
    }

    /// Writes a text of at most `limit` bytes. Returns false if it was cut.
    pub(super) fn text(&mut self, key: &str, text: &str, limit: usize) -> bool {
        write_string(self.member(key), text, limit)
    }

    /// Writes a constant text that needs no escapes.
    pub(super) fn word(&mut self, key: &str, word: &str) {
        let out = self.member(key);
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }

    pub(super) fn hex(&mut self, key: &str, bytes: &[u8]) {
        let out = self.member(key);
        out.push(b'"');
        write_hex(out, bytes);
        out.push(b'"');
    }

    /// Writes a trace id in X-Ray's form: version, time, random part.
    pub(super) fn trace_id(&mut self, key: &str, id: TraceId) {
        let id = id.to_bytes();
        let (time, rest) = id.split_at(4);
        let out = self.member(key);
        out.extend_from_slice(b"\"1-");
        write_hex(out, time);
        out.push(b'-');
        write_hex(out, rest);
        out.push(b'"');
    }

    pub(super) fn texts(&mut self, key: &str, texts: &[StringValue]) {
        write_list(self.member(key), texts, usize::MAX - 1, |out, text, _| {
            write_string(out, text.as_str(), usize::MAX);
        });
    }

    pub(super) fn number(&mut self, key: &str, number: impl Into<i64>) {
        write_json(self.member(key), number.into());
    }

    pub(super) fn bool_true(&mut self, key: &str) {
        write_json(self.member(key), true);
    }

    pub(super) fn time(&mut self, key: &str, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        write_json(self.member(key), since.as_secs_f64());
    }

    /// Writes an attribute value of at most `limit` bytes. Returns false if it was cut.
    pub(super) fn value(&mut self, key: &str, value: &Value, limit: usize) -> bool {
        write_value(self.member(key), value, limit)
    }

    /// Writes an object, unless it is empty.
    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Members<'_>)) {
        let (start, empty) = (self.out.len(), self.empty);
        if !write_object(self.member(key), fill) {
            self.out.truncate(start);
            self.empty = empty;
        }
    }

    /// Writes as many of `items` as fit into `limit` bytes. Returns the number of the others.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        limit: usize,
        write: impl Fn(&mut Members<'_>, T),
    ) -> usize {
        let mut items = items.into_iter();
        let (before, empty) = (self.out.len(), self.empty);
        let out = self.member(key);
        out.push(b'[');
        let first = out.len();
        let mut left_out = 0;
        for item in items.by_ref() {
            let start = out.len();
            if start > first {
                out.push(b',');
            }
            write_object(out, |members| write(members, item));
            if out.len() - first > limit {
                out.truncate(start);
                left_out = 1 + items.count();
                break;
            }
        }
        if out.len() == first {
            self.out.truncate(before);
            self.empty = empty;
        } else {
            self.out.push(b']');
        }
        left_out
    }
}

/// Returns false if the object has no members.
fn write_object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Members<'_>)) -> bool {
    out.push(b'{');
    let mut members = Members { out, empty: true };
    fill(&mut members);
    let empty = members.empty;
    out.push(b'}');
    !empty
}

fn write_value(out: &mut Vec<u8>, value: &Value, limit: usize) -> bool {
    match value {
        Value::Bool(value) => write_json(out, value),
        Value::I64(value) => write_json(out, value),
        Value::F64(value) => write_float(out, *value),
        Value::String(text) => return write_string(out, text.as_str(), limit),
        Value::Array(values) => return write_array(out, values, limit),
        // The enum is non-exhaustive.
        _ => return write_string(out, &value.as_str(), limit),
    }
    true
}

fn write_array(out: &mut Vec<u8>, values: &Array, limit: usize) -> bool {
    match values {
        Array::Bool(values) => write_list(out, values, limit, |out, value, _| write_json(out, value)),
        Array::I64(values) => write_list(out, values, limit, |out, value, _| write_json(out, value)),
        Array::F64(values) => write_list(out, values, limit, |out, value, _| write_float(out, *value)),
        Array::String(values) => write_list(out, values, limit, |out, value, left| {
            write_string(out, value.as_str(), left);
        }),
        _ => write_string(out, &values.to_string(), limit),
    }
}

fn write_list<T>(out: &mut Vec<u8>, values: &[T], limit: usize, write: impl Fn(&mut Vec<u8>, &T, usize)) -> bool {
    out.push(b'[');
    let first = out.len();
    for value in values {
        let start = out.len();
        if start > first {
            out.push(b',');
        }
        // One byte more than is left: a cut element does not fit.
        write(out, value, limit.saturating_sub(start - first) + 1);
        if out.len() - first > limit {
            out.truncate(start);
            out.push(b']');
            return false;
        }
    }
    out.push(b']');
    true
}

/// JSON has no NaN and no infinities.
fn write_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_json(out, value);
    } else {
        write_string(out, &value.to_string(), usize::MAX);
    }
}

/// Writes `text`, or its beginning and a mark, in `limit` bytes. Returns false if it was cut.
fn write_string(out: &mut Vec<u8>, text: &str, limit: usize) -> bool {
    if text.len() <= limit {
        write_json(out, text);
        return true;
    }
    write_json(out, beginning(text, limit.saturating_sub(MARK.len())));
    out.pop();
    out.extend_from_slice(MARK.as_bytes());
    out.push(b'"');
    false
}

fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

fn write_json(out: &mut Vec<u8>, value: impl Serialize) {
    // Writing to memory cannot fail.
    serde_json::to_writer(out, &value).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Members<'_>)) -> String {
        let mut out = Vec::new();
        write_object(&mut out, write);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn empty_members_are_omitted() {
        assert_eq!(
            written(|members| {
                members.object("a", |_| {});
                assert_eq!(members.list("b", [0; 0], 10, |_, _| {}), 0);
                members.number("c", 1);
            }),
            r#"{"c":1}"#
        );
    }

    #[test]
    fn list_ends_at_its_byte_limit() {
        let text = written(|members| {
            assert_eq!(members.list("a", [1, 2, 3, 4], 18, |members, n| members.number("n", n)), 2);
            assert_eq!(members.list("b", [1, 2], 3, |members, n| members.number("n", n)), 2);
        });
        assert_eq!(text, r#"{"a":[{"n":1},{"n":2}]}"#);
    }

    #[test]
    fn text_is_cut_between_characters_with_a_mark() {
        let text = written(|members| {
            assert!(members.text("a", "äöü", 6));
            assert!(!members.text("b", "äöü", 5));
            assert!(!members.text("c", "äöü", 0));
        });
        assert_eq!(text, r#"{"a":"äöü","b":"ä…","c":"…"}"#);
    }

    #[test]
    fn every_value_is_valid_json() {
        let text = written(|members| {
            members.value("nan", &Value::F64(f64::NAN), 100);
            members.value("floats", &Value::Array(Array::F64(vec![1.5, f64::INFINITY])), 100);
            members.value("texts", &Value::Array(Array::String(vec!["\"\u{1}".into(), "b".into()])), 100);
            assert!(!members.value("cut", &Value::Array(Array::I64(vec![1, 2, 3])), 3));
            assert!(!members.value("none", &Value::Array(Array::String(vec!["long".into()])), 2));
        });
        assert_eq!(text, r#"{"nan":"NaN","floats":[1.5,"inf"],"texts":["\"\u0001","b"],"cut":[1,2],"none":[]}"#);
    }

    #[test]
    fn time_before_the_epoch_is_the_epoch() {
        let before = UNIX_EPOCH - std::time::Duration::from_secs(1);
        assert_eq!(written(|members| members.time("t", before)), r#"{"t":0.0}"#);
    }
}
