//! The W3C `tracestate` of a trusted caller, for outgoing requests.

use http::HeaderName;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("tracestate");

/// The size that the specification requires everyone to propagate.
const MAX_LENGTH: usize = 512;
const MAX_MEMBERS: usize = 32;
const MAX_PART: usize = 256;

/// The members of a `tracestate`, without OpenTelemetry's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracestate(String);

impl Tracestate {
    /// Parses all headers together. Returns `None` if a member is invalid, a key is repeated, the result is too long or
    /// nothing is left.
    ///
    /// Omits `ot`, which would add the caller's sampling weight to the receiver's counts.
    pub(crate) fn parse<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut kept: Vec<(&str, &str)> = Vec::new();
        let (mut length, mut members) = (0, 0);
        for header in headers {
            length += header.len();
            if length > MAX_LENGTH {
                return None;
            }
            for member in str::from_utf8(header).ok()?.split(',') {
                let member = member.trim_matches([' ', '\t']);
                if member.is_empty() {
                    continue;
                }
                members += 1;
                let (key, value) = member.split_once('=')?;
                let twice = kept.iter().any(|(known, _)| *known == key);
                if members > MAX_MEMBERS || twice || !is_key(key) || !is_value(value) {
                    return None;
                }
                if key != "ot" {
                    kept.push((key, value));
                }
            }
        }
        let members: Vec<String> = kept.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (!members.is_empty()).then(|| Self(members.join(",")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_key(key: &str) -> bool {
    (1..=MAX_PART).contains(&key.len())
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
        })
        && key.bytes().filter(|byte| *byte == b'@').count() <= 1
}

fn is_value(value: &str) -> bool {
    (1..=MAX_PART).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(headers: &[&str]) -> Option<String> {
        Tracestate::parse(headers.iter().map(|header| header.as_bytes())).map(|state| state.0)
    }

    #[test]
    fn members_of_all_headers_keep_their_order() {
        let kept = parse(&["congo=t61rcWkgMzE , rojo=00f067aa0ba902b7", "tenant@vendor=a b"]);
        assert_eq!(kept.as_deref(), Some("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7,tenant@vendor=a b"));
    }

    #[test]
    fn sampling_threshold_of_the_caller_is_omitted() {
        assert_eq!(parse(&["ot=th:fffffffc,rojo=1"]).as_deref(), Some("rojo=1"));
        assert_eq!(parse(&["ot=th:fffffffc"]), None);
    }

    #[test]
    fn invalid_tracestate_is_rejected() {
        let long = format!("a={}", "x".repeat(257));
        let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        for junk in ["", ",", "a", "a=", "A=1", "=1", "a=1,a=2", "a=é", "a=b=c", "a@b@c=1", &long, &many] {
            assert_eq!(parse(&[junk]), None, "{junk}");
        }
        let half = format!("{}=1", "a".repeat(255));
        assert_eq!(parse(&[&half, &half, &half]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_tracestate_is_bounded(bytes: Vec<u8>) {
            if let Some(state) = Tracestate::parse([bytes.as_slice()].into_iter()) {
                prop_assert!(state.0.len() <= MAX_LENGTH && !state.0.contains("ot="));
            }
        }

        #[test]
        fn kept_tracestate_is_valid(members in proptest::collection::vec(("[a-z][a-z0-9_*/-]{0,8}", "[!-+.-<>-~]{1,8}"), 1..8)) {
            let text = members.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
            if let Some(kept) = parse(&[&text]) {
                prop_assert_eq!(parse(&[&kept]), Some(kept));
            }
        }
    }
}
