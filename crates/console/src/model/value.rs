//! Values of attributes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use crate::json;

/// The maximum depth of a value. Deeper lists and maps become text.
pub(crate) const MAX_DEPTH: usize = 24;
/// The bytes that an allocation needs in addition to its content.
pub(crate) const ALLOCATION: usize = 16;

/// The value of an attribute.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    /// No value was set.
    #[default]
    Empty,
    /// Text.
    String(Box<str>),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// A list of values, which may differ in type.
    Array(Box<[Value]>),
    /// Keys and values.
    Map(Box<[Attribute]>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute {
    /// The key.
    pub(crate) key: Arc<str>,
    /// The value.
    pub(crate) value: Value,
}

impl Attribute {
    /// Returns an attribute.
    pub(crate) fn new(key: impl Into<Arc<str>>, value: Value) -> Self {
        Self { key: key.into(), value }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl Value {
    /// Returns the name of the type in the API.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::String(_) => "string",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
        }
    }

    /// Returns the text of a string.
    pub(crate) fn str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Empty
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Double(_)
            | Self::Bytes(_)
            | Self::Array(_)
            | Self::Map(_) => None,
        }
    }

    /// Returns the number, also of a string that is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a comparison of attributes needs no exact integers")]
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Empty | Self::Bool(_) | Self::Bytes(_) | Self::Array(_) | Self::Map(_) => None,
        }
    }

    /// Returns the integer, also of a string that is one.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            #[expect(clippy::cast_possible_truncation, reason = "the condition keeps it exact")]
            Self::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
            Self::String(text) => text.trim().parse().ok(),
            Self::Double(_) | Self::Empty | Self::Bool(_) | Self::Bytes(_) | Self::Array(_) | Self::Map(_) => None,
        }
    }

    /// Returns the value as text: a string as it is, lists and maps as JSON.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::String(text) => Cow::Borrowed(text),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Double(number) => Cow::Owned(double(*number)),
            Self::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
            Self::Array(_) | Self::Map(_) => {
                let mut out = String::new();
                self.write_json(&mut out);
                Cow::Owned(out)
            }
        }
    }

    /// Appends the value as plain JSON. The depth is at most [`MAX_DEPTH`], so the recursion is bounded.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Self::Empty => out.push_str("null"),
            Self::String(text) => write_text(out, text),
            Self::Bool(_) | Self::Int(_) => out.push_str(&self.text()),
            Self::Double(number) if number.is_finite() => out.push_str(&double(*number)),
            Self::Double(_) | Self::Bytes(_) => write_text(out, &self.text()),
            Self::Array(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(attributes) => {
                out.push('{');
                for (index, attribute) in attributes.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    write_text(out, &attribute.key);
                    out.push(':');
                    attribute.value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// Returns the value of a JSON value.
    pub(crate) fn of_json(value: json::Value<'_, '_>, depth: usize) -> Self {
        if let Some(text) = value.str() {
            Self::String(text.into())
        } else if let Some(flag) = value.bool() {
            Self::Bool(flag)
        } else if let Some(number) = value.number() {
            let is_integer = number.bytes().all(|letter| letter.is_ascii_digit() || letter == b'-');
            match number.parse() {
                Ok(integer) if is_integer => Self::Int(integer),
                _ => number.parse().map_or(Self::String(number.into()), Self::Double),
            }
        } else if depth >= MAX_DEPTH {
            Self::String(value.raw().into())
        } else if value.is_array() {
            Self::Array(value.children().map(|item| Self::of_json(item, depth + 1)).collect())
        } else if value.is_object() {
            let attributes = value.children().map(|item| Attribute::new(item.key(), Self::of_json(item, depth + 1)));
            Self::Map(attributes.collect())
        } else {
            Self::Empty
        }
    }

    /// Returns an estimate of the bytes that the value needs in addition to its own size.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Empty | Self::Bool(_) | Self::Int(_) | Self::Double(_) => 0,
            Self::String(text) => text.len() + ALLOCATION,
            Self::Bytes(bytes) => bytes.len() + ALLOCATION,
            Self::Array(values) => {
                ALLOCATION + values.iter().map(|value| size_of::<Self>() + value.memory()).sum::<usize>()
            }
            Self::Map(attributes) => memory(attributes),
        }
    }
}

/// Returns an estimate of the bytes of a list of attributes.
pub(crate) fn memory(attributes: &[Attribute]) -> usize {
    if attributes.is_empty() {
        return 0;
    }
    let of = |attribute: &Attribute| size_of::<Attribute>() + unshared(&attribute.key) + attribute.value.memory();
    ALLOCATION + attributes.iter().map(of).sum::<usize>()
}

/// Returns an estimate of the bytes of a key or name that is not shared with other spans.
pub(crate) fn unshared(name: &Arc<str>) -> usize {
    if Arc::strong_count(name) > 1 { 0 } else { name.len() + 2 * ALLOCATION }
}

/// Returns the value of the first of these keys that is set. Of equal keys, the last one counts.
pub(crate) fn find<'a>(attributes: &'a [Attribute], keys: &[&str]) -> Option<&'a Value> {
    keys.iter()
        .find_map(|key| attributes.iter().rfind(|attribute| &*attribute.key == *key))
        .map(|attribute| &attribute.value)
        .filter(|value| **value != Value::Empty)
}

fn double(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number == f64::INFINITY {
        "Infinity".to_owned()
    } else if number == f64::NEG_INFINITY {
        "-Infinity".to_owned()
    } else if number.abs() >= 1e21 || (number != 0.0 && number.abs() < 1e-6) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

/// Appends a JSON string.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter < ' ' => {
                // Writing to a string cannot fail.
                write!(out, "\\u{:04x}", u32::from(letter)).ok();
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// The value alone, as the API writes it next to its type.
struct Content<'a>(&'a Value);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Empty => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Double(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::String(_) | Value::Int(_) | Value::Double(_) | Value::Bytes(_) => {
                serializer.serialize_str(&self.0.text())
            }
            Value::Array(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Value::Map(attributes) => serializer.collect_seq(attributes),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Value", 2)?;
        object.serialize_field("type", self.type_name())?;
        object.serialize_field("value", &Content(self))?;
        object.end()
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Attribute", 3)?;
        object.serialize_field("key", &self.key)?;
        object.serialize_field("type", self.value.type_name())?;
        object.serialize_field("value", &Content(&self.value))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[test]
    fn values_are_serialized_with_their_type() {
        let attribute = |value| serde_json::to_value(Attribute::new("k", value)).unwrap();
        let expected =
            |kind: &str, value: serde_json::Value| serde_json::json!({"key": "k", "type": kind, "value": value});
        assert_eq!(attribute(Value::Int(i64::MAX)), expected("int", "9223372036854775807".into()));
        assert_eq!(attribute(Value::Double(1.5)), expected("double", 1.5.into()));
        assert_eq!(attribute(Value::Double(f64::NAN)), expected("double", "NaN".into()));
        assert_eq!(attribute(Value::Double(f64::NEG_INFINITY)), expected("double", "-Infinity".into()));
        assert_eq!(attribute(Value::Bool(true)), expected("bool", true.into()));
        assert_eq!(attribute(Value::Empty), expected("empty", serde_json::Value::Null));
        assert_eq!(attribute(Value::Bytes(Box::new([255, 0]))), expected("bytes", "/wA=".into()));
        let list = Value::Array(Box::new([Value::Int(1), Value::from("a")]));
        let items = serde_json::json!([{"type": "int", "value": "1"}, {"type": "string", "value": "a"}]);
        assert_eq!(attribute(list.clone()), expected("array", items));
        let map = Value::Map(Box::new([Attribute::new("a", list)]));
        assert_eq!(map.text(), r#"{"a":[1,"a"]}"#);
    }

    #[test]
    fn json_values_keep_their_type() {
        let json = Json::parse(r#"[1, 1.0, "x", true, null, {"a": []}, 99999999999999999999]"#).unwrap();
        let values: Vec<_> = json.root().children().map(|value| Value::of_json(value, 0).type_name()).collect();
        assert_eq!(values, ["int", "double", "string", "bool", "empty", "map", "double"]);
    }

    #[test]
    fn deep_values_become_text() {
        let text = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
        let mut value = Value::of_json(Json::parse(&text).unwrap().root(), 0);
        let mut depth = 0;
        while let Value::Array(items) = value {
            value = items[0].clone();
            depth += 1;
        }
        assert_eq!((depth, value.type_name()), (MAX_DEPTH, "string"));
    }
}
