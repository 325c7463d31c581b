//! JSON Schemas of texts in bodies. The patterns have the same meaning in ECMA-262 and Python.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::fields::{HandleText, IdText, TimeText, UserIdText};
use crate::domain::{Handle, Ttl};

/// Text that is not blank, without control characters except line feeds.
pub(super) const TEXT: &str =
    r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";
/// The same, or blank.
pub(super) const TEXT_OR_BLANK: &str = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";
/// One line that is not blank, without characters that change the writing direction.
pub(super) const DISPLAY_NAME: &str = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*$";
/// Any text that is not blank.
pub(super) const NOT_BLANK: &str = r"\S";
/// Any text that contains a word or one of the common emoji.
pub(super) const WORDS: &str = r"\p{L}|\p{N}|[🌀-🏺🐀-🙏🚀-🛿]";

/// The lifetime of a post.
pub(super) struct TtlText;

/// Returns `anyOf`: at least one of the fields must be present as a string.
pub(super) fn any_of_texts<const N: usize>(fields: [&str; N]) -> Value {
    fields
        .map(|field| json!({ "required": [field], "properties": { field: { "type": "string" } } }))
        .into_iter()
        .collect()
}

macro_rules! inline_schemas {
    ($($text:ty, $name:literal, $schema:tt;)+) => {
        $(impl JsonSchema for $text {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        })+
    };
}

inline_schemas! {
    IdText, "Id", {
        "type": "string",
        "format": "uuid",
        "examples": ["01a20320-a2fa-7000-8000-000000000001"],
    };
    UserIdText, "UserId", { "type": "string", "format": "uuid" };
    TimeText, "Time", {
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        "examples": ["2026-11-22T12:00:00.250Z"],
    };
    HandleText, "Handle", {
        "type": "string",
        "pattern": format!("^[a-z0-9_]{{1,{}}}$", Handle::MAX),
        "examples": ["andrewbrown"],
    };
    TtlText, "Ttl", { "type": "string", "enum": Ttl::ALL.map(Ttl::as_str) };
}
