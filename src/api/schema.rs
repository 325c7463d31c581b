//! JSON Schemas of texts in bodies. The patterns have the same meaning in ECMA-262 and Python.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::fields::{HandleText, IdText, TimeText, UserIdText};
use crate::domain::{Handle, Ttl};

/// Text with a visible character, without control characters except tabs and line ends, and without characters that change
/// the writing direction of the text after them. The visible character is approximate: the pattern names only the most
/// common combining marks and the invisible characters of the basic plane.
pub(super) const TEXT: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u061c\u064b-\u065f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u2800\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff0-\ufffb][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$";
/// The same, or blank.
pub(super) const TEXT_OR_BLANK: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$";
/// One line with a visible character, without control characters except tabs, and without characters that affect the
/// writing direction. Approximate like [`TEXT`].
pub(super) const DISPLAY_NAME: &str = r"^[^\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u061c\u064b-\u065f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u2800\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff0-\ufffb][^\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$";
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
        "pattern": format!("^[A-Za-z0-9_]{{1,{}}}$", Handle::MAX),
        "examples": ["andrewbrown"],
    };
    TtlText, "Ttl", { "type": "string", "enum": Ttl::ALL.map(Ttl::as_str) };
}
