//! Finds the member names of a JSON object without parsing the values: one name identifies most events.

use memchr::memchr2;

/// Returns whether the text is an object with a member name that `known` accepts. Malformed JSON is reported by the later
/// parser.
pub(super) fn has_member(object: &[u8], known: impl Fn(&[u8]) -> bool) -> bool {
    find(object, known).is_some()
}

fn find(object: &[u8], known: impl Fn(&[u8]) -> bool) -> Option<()> {
    let mut rest = object.trim_ascii_start().strip_prefix(b"{")?;
    loop {
        let (name, after) = text(rest.trim_ascii_start())?;
        if known(name) || unescaped(name).is_some_and(|name| known(name.as_bytes())) {
            return Some(());
        }
        let value = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        rest = after_value(value)?.trim_ascii_start().strip_prefix(b",")?;
    }
}

/// Returns a name that contains escaped characters.
fn unescaped(name: &[u8]) -> Option<String> {
    name.contains(&b'\\').then(|| serde_json::from_slice(&[b"\"", name, b"\""].concat()).ok())?
}

/// Returns the text between the quotes, and the rest.
fn text(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = rest.strip_prefix(b"\"")?;
    let mut end = 0;
    loop {
        end += memchr2(b'"', b'\\', inside.get(end..)?)?;
        if inside.get(end) == Some(&b'"') {
            return Some((inside.get(..end)?, inside.get(end + 1..)?));
        }
        // Skips the backslash and the escaped character.
        end += 2;
    }
}

fn after_value(mut rest: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    loop {
        match rest.first()? {
            b'"' => rest = text(rest)?.1,
            b'{' | b'[' => {
                depth += 1;
                rest = rest.get(1..)?;
            }
            b'}' | b']' | b',' if depth == 0 => return Some(rest),
            b'}' | b']' => {
                depth -= 1;
                rest = rest.get(1..)?;
            }
            _ => rest = rest.get(1..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn found(object: &str) -> bool {
        has_member(object.as_bytes(), |name| name == b"wanted")
    }

    #[test]
    fn name_is_found_after_any_values() {
        let before = r#"{ "a" : "}\"\\", "wante\u0063": 1, "b":{"wanted":[{"c":"]"}, null]},"d" : -1.5e3, "#;
        assert!(found(&format!(r#"{before}"wanted":"#)));
        assert!(found(&format!(r#"{before}"wante\u0064":"#)));
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
        }
    }
}
