//! A tolerant JSON reader for input from outside.
//!
//! Unlike `serde_json::Value`, it keeps the text of numbers, because an X-Ray time has more digits than an `f64`. It has
//! no recursion, so the depth of the input cannot overflow the stack, and the values form one flat list in preorder.

use std::borrow::Cow;

/// The maximum number of open arrays and objects.
const MAX_DEPTH: usize = 4096;
/// The maximum number of values. Each needs about 80 bytes, and the shortest in the text needs two.
const MAX_VALUES: usize = 2_000_000;

/// A parsed text.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    text: &'a str,
    nodes: Vec<Node<'a>>,
}

#[derive(Debug)]
struct Node<'a> {
    key: Option<Cow<'a, str>>,
    scalar: Scalar<'a>,
    /// The position after the last node below this one.
    end: u32,
    /// Where the value is in the text.
    from: u32,
    to: u32,
}

#[derive(Debug)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Array,
    Object,
}

/// The reason why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    /// The text ends inside a value.
    #[error("the JSON text ends inside a value")]
    Truncated,
    /// Something else than a value is at this byte.
    #[error("the JSON text is invalid at byte {0}")]
    Invalid(usize),
    /// More arrays and objects are nested than [`MAX_DEPTH`].
    #[error("the JSON text has more than 4096 nested values")]
    TooDeep,
    /// There are more values than [`MAX_VALUES`].
    #[error("the JSON text has more than 2000000 values")]
    TooMany,
}

/// One value of a parsed text.
#[derive(Clone, Copy)]
pub(crate) struct Value<'d, 'a> {
    json: &'d Json<'a>,
    index: usize,
}

impl std::fmt::Debug for Value<'_, '_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.raw())
    }
}

impl<'a> Json<'a> {
    /// Parses a text with exactly one value. A byte order mark before it is ignored.
    ///
    /// # Errors
    /// If the text is not JSON.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonError> {
        let mut parser = Parser { text, position: 0, nodes: Vec::new() };
        if text.starts_with('\u{feff}') {
            parser.position = '\u{feff}'.len_utf8();
        }
        parser.value()?;
        parser.blanks();
        if parser.position < text.len() {
            return Err(JsonError::Invalid(parser.position));
        }
        Ok(Self { text, nodes: parser.nodes })
    }

    /// Returns the value at a position in preorder.
    pub(crate) fn value_at(&self, index: usize) -> Value<'_, 'a> {
        Value { json: self, index }
    }

    /// Returns the outermost value.
    pub(crate) fn root(&self) -> Value<'_, 'a> {
        Value { json: self, index: 0 }
    }
}

impl<'d, 'a> Value<'d, 'a> {
    fn node(&self) -> Option<&'d Node<'a>> {
        self.json.nodes.get(self.index)
    }

    /// Returns the position in preorder, which identifies the value within its text.
    pub(crate) fn position(&self) -> usize {
        self.index
    }

    /// Returns the text of the value.
    pub(crate) fn raw(&self) -> &'a str {
        let text: &'a str = self.json.text;
        self.node().and_then(|node| text.get(node.from as usize..node.to as usize)).unwrap_or_default()
    }

    /// Returns the values of an array or object; none for any other value.
    pub(crate) fn children(&self) -> impl Iterator<Item = Value<'d, 'a>> + use<'d, 'a> {
        let json = self.json;
        let end = self.node().map_or(0, |node| node.end as usize);
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let child = Value { json, index: next };
            next = child.node().map_or(end, |node| node.end as usize);
            Some(child)
        })
    }

    /// Returns the key of a value in an object; an empty text for any other value.
    pub(crate) fn key(&self) -> &'d str {
        self.node().and_then(|node| node.key.as_deref()).unwrap_or_default()
    }

    /// Returns the value of the first of these keys that the object contains. Of equal keys, the last one counts. A
    /// `null` counts as absent.
    pub(crate) fn get(&self, keys: &[&str]) -> Option<Value<'d, 'a>> {
        if !self.is_object() {
            return None;
        }
        keys.iter().find_map(|key| self.children().filter(|child| child.key() == *key).last().filter(|v| !v.is_null()))
    }

    /// Returns the value at a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<Value<'d, 'a>> {
        path.iter().try_fold(*self, |value, key| value.get(&[key]))
    }

    /// Returns whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.node().is_some_and(|node| matches!(node.scalar, Scalar::Object))
    }

    /// Returns whether it is an array.
    pub(crate) fn is_array(&self) -> bool {
        self.node().is_some_and(|node| matches!(node.scalar, Scalar::Array))
    }

    /// Returns whether it is `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.node().is_none_or(|node| matches!(node.scalar, Scalar::Null))
    }

    /// Returns the text of a string.
    pub(crate) fn str(&self) -> Option<&'d str> {
        match &self.node()?.scalar {
            Scalar::String(text) => Some(text),
            Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) | Scalar::Array | Scalar::Object => None,
        }
    }

    /// Returns the boolean.
    pub(crate) fn bool(&self) -> Option<bool> {
        match &self.node()?.scalar {
            Scalar::Bool(value) => Some(*value),
            Scalar::Null | Scalar::String(_) | Scalar::Number(_) | Scalar::Array | Scalar::Object => None,
        }
    }

    /// Returns the text of a number, as it was sent.
    pub(crate) fn number(&self) -> Option<&'a str> {
        match &self.node()?.scalar {
            Scalar::Number(text) => Some(text),
            Scalar::Null | Scalar::String(_) | Scalar::Bool(_) | Scalar::Array | Scalar::Object => None,
        }
    }

    /// Returns the text of a number or of a string that may contain one.
    pub(crate) fn numeric(&self) -> Option<&str> {
        self.number().or_else(|| self.str()).map(str::trim)
    }

    /// Returns an integer, sent as a number or as text, also in the forms `5.0` and `1.5e18`.
    pub(crate) fn integer(&self) -> Option<i128> {
        decimal(self.numeric()?, 0)
    }

    /// Returns a floating point number, sent as a number or as text, also `NaN` and `Infinity`.
    pub(crate) fn float(&self) -> Option<f64> {
        self.numeric()?.parse().ok()
    }
}

/// Returns `text · 10^shift` without rounding errors; digits below the unit are cut off. `None` if the text is not a
/// decimal number or the result has more than 36 digits.
pub(crate) fn decimal(text: &str, shift: i32) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits.clone().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(shift);
    let mut value: i128 = 0;
    let mut digits = digits;
    // The digits after the last one are zeros.
    for _ in 0..kept.clamp(0, 400) {
        let digit = digits.next().map_or(0, |digit| digit - b'0');
        if value >= 10_i128.pow(36) {
            return None;
        }
        value = value * 10 + i128::from(digit);
    }
    if kept > 400 && value != 0 {
        return None;
    }
    Some(if negative { -value } else { value })
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    nodes: Vec<Node<'a>>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn expected(&self) -> JsonError {
        if self.position >= self.text.len() { JsonError::Truncated } else { JsonError::Invalid(self.position) }
    }

    fn value(&mut self) -> Result<(), JsonError> {
        // The open arrays and objects, and whether each has a value already.
        let mut open: Vec<(usize, bool)> = Vec::new();
        loop {
            // A value, or the end of the innermost container.
            self.blanks();
            let mut key = None;
            if let Some((container, has_values)) = open.last().copied() {
                let is_object =
                    self.nodes.get(container).is_some_and(|container| matches!(container.scalar, Scalar::Object));
                let close = if is_object { b'}' } else { b']' };
                if self.peek() == Some(close) {
                    self.position += 1;
                    self.close(container);
                    open.pop();
                    if open.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
                if has_values {
                    if self.peek() != Some(b',') {
                        return Err(self.expected());
                    }
                    self.position += 1;
                    self.blanks();
                }
                if let Some((_, has_values)) = open.last_mut() {
                    *has_values = true;
                }
                if is_object {
                    if self.peek() != Some(b'"') {
                        return Err(self.expected());
                    }
                    key = Some(self.string()?);
                    self.blanks();
                    if self.peek() != Some(b':') {
                        return Err(self.expected());
                    }
                    self.position += 1;
                    self.blanks();
                }
            }
            let from = self.position;
            let scalar = self.scalar()?;
            let is_container = matches!(scalar, Scalar::Array | Scalar::Object);
            let index = self.nodes.len();
            if index >= MAX_VALUES {
                return Err(JsonError::TooMany);
            }
            let end = u32::try_from(index + 1).map_err(|_error| JsonError::Invalid(from))?;
            let at = |position: usize| u32::try_from(position).map_err(|_error| JsonError::Invalid(from));
            self.nodes.push(Node { key, scalar, end, from: at(from)?, to: at(self.position)? });
            if is_container {
                if open.len() >= MAX_DEPTH {
                    return Err(JsonError::TooDeep);
                }
                open.push((index, false));
            } else if open.is_empty() {
                return Ok(());
            }
        }
    }

    fn close(&mut self, container: usize) {
        let (end, to) = (self.nodes.len(), self.position);
        if let Some(node) = self.nodes.get_mut(container) {
            // Both fit, because those of later nodes were checked.
            node.end = u32::try_from(end).unwrap_or(u32::MAX);
            node.to = u32::try_from(to).unwrap_or(u32::MAX);
        }
    }

    fn scalar(&mut self) -> Result<Scalar<'a>, JsonError> {
        match self.peek() {
            Some(b'{') => {
                self.position += 1;
                Ok(Scalar::Object)
            }
            Some(b'[') => {
                self.position += 1;
                Ok(Scalar::Array)
            }
            Some(b'"') => self.string().map(Scalar::String),
            Some(b't') => self.word("true", Scalar::Bool(true)),
            Some(b'f') => self.word("false", Scalar::Bool(false)),
            Some(b'n') => self.word("null", Scalar::Null),
            // Some SDKs write these numbers without quotes.
            Some(b'N') => self.word("NaN", Scalar::Number("NaN")),
            Some(b'I') => self.word("Infinity", Scalar::Number("Infinity")),
            Some(b'-') if self.text.get(self.position..).is_some_and(|rest| rest.starts_with("-Infinity")) => {
                self.word("-Infinity", Scalar::Number("-Infinity"))
            }
            Some(b'-' | b'0'..=b'9') => self.digits(),
            _ => Err(self.expected()),
        }
    }

    fn word(&mut self, word: &str, scalar: Scalar<'a>) -> Result<Scalar<'a>, JsonError> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        if rest.starts_with(word) {
            self.position += word.len();
            Ok(scalar)
        } else if word.starts_with(rest) {
            Err(JsonError::Truncated)
        } else {
            Err(JsonError::Invalid(self.position))
        }
    }

    fn digits(&mut self) -> Result<Scalar<'a>, JsonError> {
        let from = self.position;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.position += 1;
        }
        let text = self.text.get(from..self.position).unwrap_or_default();
        if text.parse::<f64>().is_ok() {
            Ok(Scalar::Number(text))
        } else if self.position == self.text.len() {
            Err(JsonError::Truncated)
        } else {
            Err(JsonError::Invalid(from))
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.position += 1;
        let from = self.position;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.text.get(from..self.position).unwrap_or_default();
                    self.position += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => return self.escaped(from).map(Cow::Owned),
                Some(_) => self.position += 1,
                None => return Err(JsonError::Truncated),
            }
        }
    }

    /// Reads the rest of a string from its first escape on.
    fn escaped(&mut self, from: usize) -> Result<String, JsonError> {
        let mut out = self.text.get(from..self.position).unwrap_or_default().to_owned();
        let mut plain = self.position;
        loop {
            match self.peek() {
                Some(b'"') => {
                    out.push_str(self.text.get(plain..self.position).unwrap_or_default());
                    self.position += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(self.text.get(plain..self.position).unwrap_or_default());
                    self.position += 1;
                    out.push(self.escape()?);
                    plain = self.position;
                }
                Some(_) => self.position += 1,
                None => return Err(JsonError::Truncated),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let Some(letter) = self.peek() else { return Err(JsonError::Truncated) };
        let at = self.position;
        self.position += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                if (0xD800..0xDC00).contains(&unit)
                    && self.text.get(self.position..).is_some_and(|rest| rest.starts_with("\\u"))
                {
                    let after = self.position;
                    self.position += 2;
                    let low = self.unit()?;
                    if (0xDC00..0xE000).contains(&low) {
                        let point = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        return Ok(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.position = after;
                }
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(JsonError::Invalid(at)),
        })
    }

    fn unit(&mut self) -> Result<u32, JsonError> {
        let Some(digits) = self.text.as_bytes().get(self.position..self.position + 4) else {
            return Err(JsonError::Truncated);
        };
        let at = self.position;
        self.position += 4;
        digits.iter().try_fold(0, |unit, digit| {
            char::from(*digit).to_digit(16).map(|digit| unit * 16 + digit).ok_or(JsonError::Invalid(at))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nested_values_are_found_by_path() {
        let json = Json::parse("\u{feff} {\"a\": {\"b\": [1, {\"c\": \"d\\n\\u00e9\\ud83d\\ude00\"}]}, \"e\": null} ")
            .unwrap();
        let list: Vec<_> = json.root().at(&["a", "b"]).unwrap().children().collect();
        assert_eq!(list[0].integer(), Some(1));
        assert_eq!(list[1].get(&["c"]).unwrap().str(), Some("d\né😀"));
        assert_eq!(list[1].raw(), "{\"c\": \"d\\n\\u00e9\\ud83d\\ude00\"}");
        assert!(json.root().get(&["e"]).is_none());
        assert!(json.root().at(&["a", "x"]).is_none());
    }

    #[test]
    fn last_of_equal_keys_counts() {
        let json = Json::parse(r#"{"a":1,"\u0061":2}"#).unwrap();
        assert_eq!(json.root().get(&["a"]).unwrap().integer(), Some(2));
    }

    #[test]
    fn broken_text_is_an_error() {
        for text in ["", "{", "[1,", "\"a", "t", "{\"a\"", "-", "1e", "\"\\u00", "[1"] {
            assert_eq!(Json::parse(text).unwrap_err(), JsonError::Truncated, "{text}");
        }
        for text in ["}", "[1 2]", "{a:1}", "1 2", "[1,]x", "nul!", "\"\\x\"", "1.2.3x", "{\"a\" 1}", "[,1]"] {
            assert!(matches!(Json::parse(text).unwrap_err(), JsonError::Invalid(_)), "{text}");
        }
        assert_eq!(Json::parse(&"[".repeat(100_000)).unwrap_err(), JsonError::TooDeep);
    }

    #[test]
    fn decimal_text_keeps_every_digit() {
        assert_eq!(decimal("1700000000.123456789", 9), Some(1_700_000_000_123_456_789));
        assert_eq!(decimal("1.700000000123456789E9", 9), Some(1_700_000_000_123_456_789));
        assert_eq!(decimal("1.5e18", 0), Some(1_500_000_000_000_000_000));
        assert_eq!(decimal("5.0", 0), Some(5));
        assert_eq!(decimal("-3", 0), Some(-3));
        assert_eq!(decimal("0.0000000001", 9), Some(0));
        assert_eq!(decimal("1e-400", 9), Some(0));
        for text in ["", ".", "-", "1e400", "x", "1e", "1.2.3", "NaN", "99999999999999999999999999999999999999"] {
            assert_eq!(decimal(text, 0), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected_without_panic(text in r#"[\[\]{}",:0-9a-z\\ .eE+-]{0,60}"#) {
            Json::parse(&text).map(|json| json.root().children().count()).ok();
        }

        #[test]
        fn strict_json_reads_as_serde_reads_it(text in r#"[\[\]{}",:0-9tfn\\ -]{0,24}"#) {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                let json = Json::parse(&text).unwrap();
                if let serde_json::Value::Array(items) = &value {
                    prop_assert_eq!(json.root().children().count(), items.len());
                }
                prop_assert_eq!(json.root().raw(), text.trim());
            }
        }
    }
}
