//! W3C Baggage: values that a caller sends along. Read by name, copied nowhere.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

/// The specification's own limits for what is read.
const MAX_LENGTH: usize = 8192;
const MAX_MEMBERS: usize = 64;
/// Ours for what is kept.
const MAX_KEPT: usize = 8;
const MAX_KEPT_BYTES: usize = 1024;

/// The entries of a caller's `baggage` that were asked for by name.
///
/// They are a caller's claim. None goes into a span, a log line or an outgoing request by itself.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("baggage", "tenant=blue%20sky,plan=free".parse().unwrap());
/// let baggage = lambda_spans::Baggage::from_headers(&headers, &["tenant"]);
/// assert_eq!(baggage.get("tenant"), Some("blue sky"));
/// assert_eq!(baggage.get("plan"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baggage(Vec<(String, String)>);

impl Baggage {
    /// Reads the entries that `keys` names. A header that is not valid, has a key twice, or is too long gives none.
    pub fn from_headers(headers: &HeaderMap, keys: &[&str]) -> Self {
        let values = headers.get_all("baggage").iter().map(|value| value.as_bytes());
        Self(parse(values, keys).unwrap_or_default())
    }

    /// The value of an entry, percent-decoded.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

fn parse<'a>(headers: impl Iterator<Item = &'a [u8]>, keys: &[&str]) -> Option<Vec<(String, String)>> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let (mut length, mut members, mut bytes) = (0, 0, 0);
    for header in headers {
        length += header.len();
        if length > MAX_LENGTH {
            return None;
        }
        for member in str::from_utf8(header).ok()?.split(',').map(trim).filter(|member| !member.is_empty()) {
            members += 1;
            // Properties behind the value describe the entry; nobody here asks for them.
            let entry = member.split(';').next()?;
            let (key, value) = entry.split_once('=')?;
            let (key, value) = (trim(key), trim(value));
            if members > MAX_MEMBERS || !is_token(key) || !value.bytes().all(is_octet) {
                return None;
            }
            if !keys.contains(&key) {
                continue;
            }
            let value = percent_decode_str(value).decode_utf8().ok()?;
            bytes += key.len() + value.len();
            let twice = kept.iter().any(|(known, _)| known == key);
            let full = kept.len() == MAX_KEPT || bytes > MAX_KEPT_BYTES;
            if twice || full || value.chars().any(char::is_control) {
                return None;
            }
            kept.push((key.to_owned(), value.into_owned()));
        }
    }
    Some(kept)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A token of RFC 9110.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_octet(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn read(header: &str, keys: &[&str]) -> Option<Vec<(String, String)>> {
        parse([header.as_bytes()].into_iter(), keys)
    }

    fn entries(entries: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let header = "userId=alice, tenant = blue%20sky ;ttl=30,plan=free";
        assert_eq!(read(header, &["tenant", "missing"]), entries(&[("tenant", "blue sky")]));
        assert_eq!(read(header, &[]), entries(&[]));
    }

    #[test]
    fn what_is_no_baggage_is_refused() {
        let long = format!("k={}", "x".repeat(8192));
        let large = format!("k={}", "x".repeat(1024));
        let many = (0..65).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        for junk in ["k", "=1", "k k=1", "k=a b", "k=\"1\"", "k=1,k=2", "k=%0a", "k=%ff", "é=1", &long, &large, &many]
        {
            assert_eq!(read(junk, &["k"]), None, "{junk}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_kept_is_bounded(bytes: Vec<u8>) {
            if let Some(kept) = parse([bytes.as_slice()].into_iter(), &["a", "b"]) {
                prop_assert!(kept.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= MAX_KEPT_BYTES);
            }
        }

        #[test]
        fn a_value_is_read_as_it_was_sent(value in "[^\\p{Cc}]{0,80}") {
            let header = format!("key={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
            prop_assert_eq!(read(&header, &["key"]), entries(&[("key", &value)]));
        }
    }
}
