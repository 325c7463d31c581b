//! JSON objects from outside of the program.
//!
//! serde's derived code also accepts an array of a struct's fields in their order. [`Object`] does not.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

/// A value that is deserialized from an object only.
#[derive(Clone, Copy, Debug)]
pub struct Object<T>(pub T);

/// Why a text is not the expected JSON object. It names the field, and contains neither values nor names of Rust types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// The whole text is not an object.
    #[error("it must be an object, not {0}")]
    NotAnObject(&'static str),
    /// A field has another type.
    #[error("`{field}` must be {expected}, not {found}")]
    WrongType {
        /// The path of the field.
        field: String,
        /// The expected type.
        expected: &'static str,
        /// The type in the text.
        found: &'static str,
    },
    /// A field has an unsuitable value.
    #[error("`{0}` has an unsuitable value")]
    UnsuitableValue(String),
    /// A field is unknown or missing or occurs twice, or the text is not JSON. Names the position.
    #[error("{0}")]
    Malformed(String),
}

/// Parses a JSON object.
///
/// # Errors
/// [`InvalidJson`] if `bytes` are not exactly one JSON object with the fields of `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidJson> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut json).map_err(|error| invalid(&error))?;
    json.end().map_err(|error| InvalidJson::Malformed(error.to_string()))?;
    Ok(value)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

fn invalid(error: &serde_path_to_error::Error<serde_json::Error>) -> InvalidJson {
    let text = error.inner().to_string();
    let is_of_field = error.inner().classify() == Category::Data;
    let Some((kind, rest)) = text.split_once(": ").filter(|(kind, _)| is_of_field && kind.starts_with("invalid "))
    else {
        return InvalidJson::Malformed(text);
    };
    let field = error.path().to_string();
    let is_root = error.path().iter().next().is_none();
    // The value, which may be private, follows the type: `string "…", expected a string at line 1 column 2`.
    let types = rest.rsplit_once(", expected ").filter(|_| kind == "invalid type").and_then(|(found, expected)| {
        let expected = expected.rsplit_once(" at line ").map_or(expected, |(expected, _)| expected);
        Some((json_type(found)?, known(expected)?))
    });
    match types {
        Some((found, "an object")) if is_root => InvalidJson::NotAnObject(found),
        Some((found, expected)) => InvalidJson::WrongType { field, expected, found },
        None => InvalidJson::UnsuitableValue(field),
    }
}

/// Returns JSON's name for the type at the beginning of serde's text.
fn json_type(found: &str) -> Option<&'static str> {
    let name = found.split([' ', '`', '"']).next()?;
    Some(match name {
        "boolean" => "a boolean",
        "integer" | "floating" | "number" => "a number",
        "map" => "an object",
        "null" | "unit" => "null",
        "sequence" => "an array",
        "string" => "a string",
        _ => return None,
    })
}

/// Returns serde's text for an expected type if it is JSON's name of it.
fn known(expected: &str) -> Option<&'static str> {
    ["a boolean", "a string", "an object"].into_iter().find(|name| *name == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Fields {
        text: Option<String>,
        number: Option<u64>,
        flag: Option<bool>,
        list: Option<Vec<Object<Inner>>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Inner {
        text: String,
    }

    #[test]
    fn object_is_parsed_at_every_depth() {
        for text in ["{}", r#"{"text": "x", "number": 5, "flag": true}"#, r#" {"list": [{"text": "x"}]} "#] {
            assert!(parse::<Fields>(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_types_are_named_as_in_json() {
        let root = InvalidJson::NotAnObject;
        let field = |field: &str, expected, found| InvalidJson::WrongType { field: field.to_owned(), expected, found };
        for (text, expected) in [
            ("[]", root("an array")),
            (r#"["x", 5, true]"#, root("an array")),
            (r#""struct u64, expected a boolean""#, root("a string")),
            ("5", root("a number")),
            ("-5.5", root("a number")),
            ("true", root("a boolean")),
            ("null", root("null")),
            (r#"{"text": 5}"#, field("text", "a string", "a number")),
            (r#"{"text": 5e2}"#, field("text", "a string", "a number")),
            (r#"{"text": false}"#, field("text", "a string", "a boolean")),
            (r#"{"text": ["x"]}"#, field("text", "a string", "an array")),
            (r#"{"text": {"x": 1}}"#, field("text", "a string", "an object")),
            (r#"{"flag": "private, expected a string at line 1 column 2"}"#, field("flag", "a boolean", "a string")),
            (r#"{"list": [["x"]]}"#, field("list[0]", "an object", "an array")),
            (r#"{"list": [{"text": null}]}"#, field("list[0].text", "a string", "null")),
            (r#"{"number": "private"}"#, InvalidJson::UnsuitableValue("number".to_owned())),
            (r#"{"number": -1}"#, InvalidJson::UnsuitableValue("number".to_owned())),
        ] {
            assert_eq!(parse::<Fields>(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn malformed_text_has_a_position() {
        for text in ["", "{", "{} {}", r#"{"other": 1}"#, r#"{"text": "x", "text": "y"}"#, "{\"text\": \"\u{1}\"}"] {
            let InvalidJson::Malformed(reason) = parse::<Fields>(text.as_bytes()).unwrap_err() else {
                unreachable!("{text}");
            };
            assert!(reason.contains(" at line 1 column "), "{reason}");
        }
    }
}
