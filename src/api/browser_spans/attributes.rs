//! The attributes that web pages may send. All others are left out, because a page may know private data.

use lambda_spans::opentelemetry::{KeyValue, Value as SpanValue};
use serde_json::{Map, Value};

/// The maximum number of attributes of a span.
const MAX: usize = 32;
/// The maximum length of a key, in bytes.
const MAX_KEY: usize = 64;
/// The maximum length of a text, in bytes. Longer ones are cut.
const MAX_TEXT: usize = 256;

const WORDS: [&str; 15] = [
    "app.action",
    "app.outcome",
    "app.page",
    "error.type",
    "exception.type",
    "http.request.body.size",
    "http.request.method",
    "http.request.resend_count",
    "http.response.body.size",
    "http.response.status_code",
    "network.protocol.name",
    "network.protocol.version",
    "server.address",
    "server.port",
    "url.scheme",
];
const PATHS: [&str; 3] = ["http.route", "url.path", "url.template"];
/// Timings and web vitals, and properties of the browser.
const PREFIXES: [&str; 3] = ["browser.", "navigation.", "web_vitals."];

/// The form of a text.
#[derive(Clone, Copy)]
enum Form {
    /// Letters, digits and some punctuation.
    Word,
    /// An absolute path, without query and fragment.
    Path,
}

/// The attributes that are kept, and the number of those that are not.
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) kept: Vec<KeyValue>,
    pub(super) dropped: u32,
}

impl Attributes {
    /// Parses a list of attributes in OTLP's JSON form.
    pub(super) fn parse(list: Option<&Value>) -> Self {
        let mut attributes = Self::default();
        for attribute in list.and_then(Value::as_array).into_iter().flatten() {
            match parse(attribute) {
                Some(attribute) if attributes.has_room_for(&attribute) => attributes.kept.push(attribute),
                _ => attributes.dropped = attributes.dropped.saturating_add(1),
            }
        }
        attributes
    }

    fn has_room_for(&self, attribute: &KeyValue) -> bool {
        self.kept.len() < MAX && self.kept.iter().all(|known| known.key != attribute.key)
    }
}

fn parse(attribute: &Value) -> Option<KeyValue> {
    let key = attribute.get("key")?.as_str()?;
    let value = value(attribute.get("value")?.as_object()?, form(key)?)?;
    Some(KeyValue::new(key.to_owned(), value))
}

fn form(key: &str) -> Option<Form> {
    let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
    let is_allowed = || WORDS.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    if PATHS.contains(&key) {
        Some(Form::Path)
    } else if key.len() <= MAX_KEY && key.bytes().all(is_key) && is_allowed() {
        Some(Form::Word)
    } else {
        None
    }
}

fn value(value: &Map<String, Value>, form: Form) -> Option<SpanValue> {
    let (kind, value) = value.iter().next()?;
    match (kind.as_str(), value) {
        ("boolValue", Value::Bool(value)) => Some(SpanValue::Bool(*value)),
        ("intValue", Value::String(digits)) => digits.parse().ok().map(SpanValue::I64),
        ("intValue", Value::Number(number)) => number.as_i64().map(SpanValue::I64),
        ("doubleValue", Value::Number(number)) => number.as_f64().map(SpanValue::F64),
        ("stringValue", Value::String(value)) => text(value, form).map(|text| SpanValue::from(text.to_owned())),
        _ => None,
    }
}

fn text(value: &str, form: Form) -> Option<&str> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-' | ' ');
    match form {
        Form::Word => {
            let word = beginning(value, MAX_TEXT);
            word.chars().all(is_of_word).then_some(word)
        }
        Form::Path => {
            let path = beginning(without_query(value), MAX_TEXT);
            (path.starts_with('/') && !path.contains(char::is_control)).then_some(path)
        }
    }
}

/// Returns the text before `?` or `#`.
pub(super) fn without_query(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

/// Returns at most `limit` bytes of `text`.
fn beginning(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn kept(key: &str, value: &Value) -> Option<String> {
        let attributes = Attributes::parse(Some(&json!([{ "key": key, "value": value }])));
        assert_eq!(attributes.kept.len() + attributes.dropped as usize, 1);
        attributes.kept.first().map(|attribute| attribute.value.to_string())
    }

    #[test]
    fn listed_keys_are_kept() {
        let ok = Some("1".to_owned());
        for key in WORDS.into_iter().chain(["navigation.dns_ms", "web_vitals.lcp_ms", "browser.mobile"]) {
            assert_eq!(kept(key, &json!({ "intValue": "1" })), ok, "{key}");
        }
        let long = format!("browser.{}", "x".repeat(57));
        for key in [
            "http.request.header.authorization",
            "url.full",
            "url.query",
            "app.user_id",
            "service.name",
            "SampleRate",
            "trace.trace_id",
            "name",
            "exception.message",
            "browser.Mobile",
            "browser.a b",
            &long,
            "",
        ] {
            assert_eq!(kept(key, &json!({ "intValue": "1" })), None, "{key}");
        }
    }

    #[test]
    fn paths_have_no_query() {
        let path = |text: &str| kept("url.path", &json!({ "stringValue": text }));
        assert_eq!(path("/a/b?term=secret").as_deref(), Some("/a/b"));
        assert_eq!(path("/#/search/secret").as_deref(), Some("/"));
        assert_eq!(path(&format!("/{}", "é".repeat(200))).map(|path| path.len()), Some(255));
        for text in ["", "a/b", "https://x/?y", "/a\u{7}", "?secret"] {
            assert_eq!(path(text), None, "{text}");
        }
    }

    #[test]
    fn words_have_no_other_characters() {
        let word = |text: &str| kept("app.page", &json!({ "stringValue": text }));
        assert_eq!(word("home page/1").as_deref(), Some("home page/1"));
        assert_eq!(word(&"x".repeat(300)).map(|word| word.len()), Some(256));
        for text in ["a@example.com", "<b>", "é", "a\n", "\u{202e}"] {
            assert_eq!(word(text), None, "{text}");
        }
    }

    #[test]
    fn values_of_other_types_are_left_out() {
        for value in [
            json!(null),
            json!("x"),
            json!({}),
            json!({ "stringValue": 5 }),
            json!({ "intValue": "1e3" }),
            json!({ "intValue": "99999999999999999999" }),
            json!({ "intValue": 1.5 }),
            json!({ "doubleValue": "NaN" }),
            json!({ "boolValue": "true" }),
            json!({ "bytesValue": "AA==" }),
            json!({ "arrayValue": { "values": [{ "intValue": "1" }] } }),
            json!({ "kvlistValue": { "values": [] } }),
        ] {
            assert_eq!(kept("app.page", &value), None, "{value}");
        }
        assert_eq!(kept("web_vitals.cls", &json!({ "doubleValue": 0.25 })).as_deref(), Some("0.25"));
        assert_eq!(kept("browser.mobile", &json!({ "boolValue": true })).as_deref(), Some("true"));
    }

    #[test]
    fn attributes_are_bounded_and_unique() {
        let list: Vec<_> =
            (0..40).map(|n| json!({ "key": format!("browser.k{n}"), "value": { "intValue": n } })).collect();
        let attributes = Attributes::parse(Some(&json!(list)));
        assert_eq!((attributes.kept.len(), attributes.dropped), (32, 8));
        let twice = json!({ "key": "app.page", "value": { "stringValue": "x" } });
        let attributes = Attributes::parse(Some(&json!([twice, twice])));
        assert_eq!((attributes.kept.len(), attributes.dropped), (1, 1));
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_bounded(text: String) {
            for key in ["url.path", "error.type"] {
                if let Some(kept) = kept(key, &json!({ "stringValue": text })) {
                    prop_assert!(kept.len() <= MAX_TEXT && !kept.contains(['?', '#', '\0']));
                }
            }
        }
    }
}
