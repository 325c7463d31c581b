//! The attributes that web pages may send. All others are left out, because a page may know private data.

use lambda_spans::opentelemetry::{KeyValue, Value as SpanValue};
use serde_json::{Map, Value};

/// The maximum length of a text, in bytes. Longer ones are cut.
const MAX_TEXT: usize = 256;

/// The form of a value.
#[derive(Clone, Copy)]
enum Form {
    /// Letters, digits and some punctuation.
    Word,
    /// An absolute path, without query and fragment.
    Path,
    Integer,
    /// A number that may have a fraction. Clients send one without a fraction as an integer.
    Number,
}

/// A list instead of prefixes: each other key would become a column of the receiver, of which it has a limited number.
const ALLOWED: [(&str, Form); 29] = [
    ("app.action", Form::Word),
    ("app.outcome", Form::Word),
    ("app.page", Form::Word),
    ("error.type", Form::Word),
    (EXCEPTION_TYPE, Form::Word),
    ("http.request.body.size", Form::Integer),
    ("http.request.method", Form::Word),
    ("http.request.resend_count", Form::Integer),
    ("http.response.body.size", Form::Integer),
    ("http.response.status_code", Form::Integer),
    ("http.route", Form::Path),
    ("navigation.dns_ms", Form::Number),
    ("navigation.dom_content_loaded_ms", Form::Number),
    ("navigation.dom_interactive_ms", Form::Number),
    ("navigation.load_ms", Form::Number),
    ("navigation.response_ms", Form::Number),
    ("navigation.tcp_ms", Form::Number),
    ("navigation.ttfb_ms", Form::Number),
    ("navigation.type", Form::Word),
    ("network.protocol.name", Form::Word),
    ("network.protocol.version", Form::Word),
    ("server.address", Form::Word),
    ("server.port", Form::Integer),
    ("url.path", Form::Path),
    ("url.scheme", Form::Word),
    ("url.template", Form::Path),
    ("web_vitals.cls", Form::Number),
    ("web_vitals.inp_ms", Form::Number),
    ("web_vitals.lcp_ms", Form::Number),
];
pub(super) const EXCEPTION_TYPE: &str = "exception.type";

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
                Some(attribute) if !attributes.contain(&attribute) => attributes.kept.push(attribute),
                _ => attributes.dropped = attributes.dropped.saturating_add(1),
            }
        }
        attributes
    }

    fn contain(&self, attribute: &KeyValue) -> bool {
        self.kept.iter().any(|known| known.key == attribute.key)
    }
}

fn parse(attribute: &Value) -> Option<KeyValue> {
    let key = attribute.get("key")?.as_str()?;
    let (key, form) = ALLOWED.into_iter().find(|(allowed, _)| *allowed == key)?;
    Some(KeyValue::new(key, value(attribute.get("value")?.as_object()?, form)?))
}

fn value(value: &Map<String, Value>, form: Form) -> Option<SpanValue> {
    let (kind, value) = value.iter().next()?;
    match (form, kind.as_str(), value) {
        (Form::Word, "stringValue", Value::String(text)) => word(text).map(|word| word.to_owned().into()),
        (Form::Path, "stringValue", Value::String(text)) => path(text).map(|path| path.to_owned().into()),
        (Form::Integer, "intValue", value) => integer(value).map(SpanValue::I64),
        (Form::Number, "intValue", value) => number(integer(value)?),
        (Form::Number, "doubleValue", Value::Number(number)) => number.as_f64().map(SpanValue::F64),
        _ => None,
    }
}

/// Parses a 64-bit number, which is a string in OTLP's JSON form. Some clients send a number.
fn integer(value: &Value) -> Option<i64> {
    value.as_str().map_or_else(|| value.as_i64(), |digits| digits.parse().ok())
}

/// Returns the integer as a fraction, unless that would change it.
fn number(integer: i64) -> Option<SpanValue> {
    i32::try_from(integer).ok().map(|integer| SpanValue::F64(integer.into()))
}

fn word(text: &str) -> Option<&str> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-' | ' ');
    let word = beginning(text, MAX_TEXT);
    word.chars().all(is_of_word).then_some(word)
}

/// URLs encode all other characters.
fn path(text: &str) -> Option<&str> {
    let path = beginning(without_query(text), MAX_TEXT);
    (path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())).then_some(path)
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
    fn listed_keys_are_kept_with_their_type() {
        for (key, form) in ALLOWED {
            let [word, path, integer, number] = [
                json!({ "stringValue": "1" }),
                json!({ "stringValue": "/1" }),
                json!({ "intValue": "1" }),
                json!({ "doubleValue": 0.5 }),
            ]
            .map(|value| kept(key, &value));
            let one = || Some("1".to_owned());
            let expected = match form {
                Form::Word => [one(), Some("/1".to_owned()), None, None],
                Form::Path => [None, Some("/1".to_owned()), None, None],
                Form::Integer => [None, None, one(), None],
                Form::Number => [None, None, one(), Some("0.5".to_owned())],
            };
            assert_eq!([word, path, integer, number], expected, "{key}");
        }
    }

    #[test]
    fn other_keys_are_left_out() {
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
            "browser.language",
            "navigation.other",
            "web_vitals.",
            "App.page",
            "",
        ] {
            for value in [json!({ "intValue": "1" }), json!({ "stringValue": "/1" })] {
                assert_eq!(kept(key, &value), None, "{key}");
            }
        }
    }

    #[test]
    fn paths_have_no_query() {
        let path = |text: &str| kept("url.path", &json!({ "stringValue": text }));
        assert_eq!(path("/a/b?term=secret").as_deref(), Some("/a/b"));
        assert_eq!(path("/#/search/secret").as_deref(), Some("/"));
        assert_eq!(path(&format!("/{}", "x".repeat(400))).map(|path| path.len()), Some(256));
        for text in ["", "a/b", "https://x/?y", "/a\u{7}", "/a b", "/é", "/a\u{202e}b", "?secret"] {
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
            for key in ["app.page", "url.path", "server.port", "web_vitals.cls"] {
                assert_eq!(kept(key, &value), None, "{key}: {value}");
            }
        }
        assert_eq!(kept("web_vitals.cls", &json!({ "intValue": "9007199254740993" })), None);
    }

    #[test]
    fn attributes_are_unique() {
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
