//! Reads the members of a JSON object without parsing the values: their names identify most events.

use std::borrow::Cow;

use memchr::memchr2;

/// Passes the name and the value of each member to `visit` until that returns false. Returns `None` if the text up to there
/// is not an object; the later parser reports that.
pub(super) fn each_member<'a>(object: &'a [u8], mut visit: impl FnMut(&[u8], &'a [u8]) -> bool) -> Option<()> {
    for member in Members::of(object)? {
        let (name, value) = member?;
        if !visit(&name, value) {
            break;
        }
    }
    Some(())
}

/// Returns whether the text is an object with this member.
pub(super) fn has_member(object: &[u8], wanted: &[u8]) -> bool {
    let mut found = false;
    // A member before a malformed one counts.
    each_member(object, |name, _| {
        found = name == wanted;
        !found
    });
    found
}

/// The members of an object. Where it is malformed, the last item is `None`.
struct Members<'a> {
    /// The text from the next name on; `None` at the end.
    rest: Option<&'a [u8]>,
}

impl<'a> Members<'a> {
    fn of(object: &'a [u8]) -> Option<Self> {
        let rest = object.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
        Some(Self { rest: (rest.first() != Some(&b'}')).then_some(rest) })
    }

    /// Returns the member at the beginning of `rest`.
    fn member(&mut self, rest: &'a [u8]) -> Option<(Cow<'a, [u8]>, &'a [u8])> {
        let (name, is_escaped, after) = text(rest)?;
        let name = if is_escaped { Cow::Owned(unescaped(name)?) } else { Cow::Borrowed(name) };
        let value = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, after) = value.split_at_checked(value_length(value)?)?;
        self.rest = match after.split_first()? {
            (b',', rest) => Some(rest.trim_ascii_start()),
            (b'}', _) => None,
            _ => return None,
        };
        Some((name, value.trim_ascii_end()))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Option<(Cow<'a, [u8]>, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        Some(self.member(rest))
    }
}

/// Returns a name that contains escaped characters without them.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let name: String = serde_json::from_slice(&[b"\"", name, b"\""].concat()).ok()?;
    Some(name.into_bytes())
}

/// Returns the text between the quotes, whether it contains escaped characters, and the rest.
fn text(rest: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let inside = rest.strip_prefix(b"\"")?;
    let (mut end, mut is_escaped) = (0, false);
    loop {
        end += memchr2(b'"', b'\\', inside.get(end..)?)?;
        if inside.get(end) == Some(&b'"') {
            return Some((inside.get(..end)?, is_escaped, inside.get(end + 1..)?));
        }
        // Skips the backslash and the escaped character.
        is_escaped = true;
        end += 2;
    }
}

/// Returns the number of bytes to the comma or bracket after a value.
fn value_length(value: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match value.get(at)? {
            b'"' => at = value.len() - text(value.get(at..)?)?.2.len(),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn found(object: &str) -> bool {
        has_member(object.as_bytes(), b"wanted")
    }

    fn members(object: &str) -> Option<Vec<(String, String)>> {
        let mut members = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        each_member(object.as_bytes(), |name, value| {
            members.push((text(name), text(value)));
            true
        })?;
        Some(members)
    }

    #[test]
    fn value_is_the_text_without_surrounding_blanks() {
        let object = r#" { "a" : 1 , "b\u0063":[ {"d": "]\""} ],"e":"" } "#;
        let expected = [("a", "1"), ("bc", r#"[ {"d": "]\""} ]"#), ("e", r#""""#)];
        assert_eq!(members(object), Some(expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
        assert_eq!(members("{ }"), Some(Vec::new()));
    }

    #[test]
    fn incomplete_object_has_no_members() {
        for text in
            ["", "[1]", "{", r#"{"a""#, r#"{"a":"#, r#"{"a":1"#, r#"{"a":1,"#, r#"{"a":1]"#, r#"{"a":[1}"#, "{1:1}"]
        {
            assert_eq!(members(text), None, "{text}");
        }
    }

    #[test]
    fn name_is_found_after_any_values() {
        let before = r#"{ "a" : "}\"\\", "wante\u0063": 1, "b":{"wanted":[{"c":"]"}, null]},"d" : -1.5e3, "#;
        assert!(found(&format!(r#"{before}"wanted":1}}"#)));
        assert!(found(&format!(r#"{before}"wante\u0064":1, "cut"#)));
        assert!(!found(&format!(r#"{before}"e": true}}"#)));
    }

    #[test]
    fn only_objects_have_members() {
        for text in ["", "[]", "\"wanted\"", "{", "{}", "{\"wanted", "{\"a\" 1, \"wanted\": 1}", "{\"a\":\"\\"] {
            assert!(!found(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn scan_agrees_with_a_parser(names in proptest::collection::vec("[a-c]|wanted", 0..5), value in ".{0,20}") {
            let nested = serde_json::json!({ "wanted": [value, { "wanted": value }], "a": value });
            let members: Vec<String> = names.iter().map(|name| format!("{name:?}: {nested}")).collect();
            let text = format!("{{{}}}", members.join(", "));
            let parsed: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(found(&text), parsed.get("wanted").is_some());
            let scanned = self::members(&text).unwrap();
            prop_assert_eq!(scanned.iter().map(|(name, _)| name).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
            for (_, value) in scanned {
                prop_assert_eq!(&serde_json::from_str::<Value>(&value).unwrap(), &nested);
            }
        }
    }
}
