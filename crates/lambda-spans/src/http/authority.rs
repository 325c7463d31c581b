//! The server's name and port, as the client wrote them.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{Request, header};

/// DNS's limit for a name.
const MAX_HOST: usize = 253;

/// Host and port of a request. An IPv6 address has no brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

/// Returns the valid content of the header `Host`. HTTP/2 has none, so that `of_uri` lets the URI replace it.
pub(super) fn of<B>(request: &Request<B>, of_uri: bool) -> Option<Authority<'_>> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let Some(value) = values.next() else {
        return parse(request.uri().authority().filter(|_| of_uri)?.as_str());
    };
    // Two different headers contradict each other.
    if values.any(|other| other != value) { None } else { parse(value.to_str().ok()?) }
}

/// Parses a name or an address, and a port.
pub(super) fn parse(value: &str) -> Option<Authority<'_>> {
    let (host, port) = if let Some(rest) = value.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        (address, port)
    } else {
        let (host, port) = value.split_at(value.find(':').unwrap_or(value.len()));
        is_name(host).then_some((host, port))?
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0)?)
        }
        Some(_) | None => return None,
    };
    Some(Authority { host, port })
}

fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // A URL's name that ends with a number, such as `1.2.3.4`, is an address.
    host.len() <= MAX_HOST && host.bytes().all(allowed) && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn host_may_have_a_port() {
        for (value, host, port) in [
            ("api.example.com", "api.example.com", None),
            ("localhost:3000", "localhost", Some(3000)),
            ("my_service:80", "my_service", Some(80)),
            ("example.com.", "example.com.", None),
            ("example.com:", "example.com", None),
            ("192.0.2.1:65535", "192.0.2.1", Some(65535)),
            ("[2001:db8::1]:8080", "2001:db8::1", Some(8080)),
            ("[::1]", "::1", None),
        ] {
            assert_eq!(parse(value), Some(Authority { host, port }), "{value}");
        }
    }

    #[test]
    fn invalid_host_is_rejected() {
        let long = "a".repeat(254);
        for value in [
            "",
            ".",
            ":80",
            "a b",
            "a/b",
            "a,b",
            "user@example.com",
            "example.com:0",
            "example.com:65536",
            "example.com:+80",
            "example.com:80:80",
            "example.com:http",
            "999.1.1.1",
            "1.2.3",
            "a.0x1f",
            "::1",
            "[::1",
            "[::1]80",
            "[example.com]",
            "<script>",
            "bücher.example",
            &long,
        ] {
            assert_eq!(parse(value), None, "{value}");
        }
    }

    #[test]
    fn contradicting_hosts_are_ignored() {
        let request = |hosts: &[&str]| {
            let hosts = hosts.iter().fold(Request::get("/"), |request, host| request.header("host", *host));
            of(&hosts.body(()).unwrap(), true).map(|authority| authority.host.to_owned())
        };
        assert_eq!(request(&["a.example", "a.example"]).as_deref(), Some("a.example"));
        assert_eq!(request(&["a.example", "b.example"]), None);
        assert_eq!(request(&[]), None);
    }

    #[test]
    fn uri_replaces_the_header_only_on_request() {
        let request = Request::get("https://a.example:8443/").body(()).unwrap();
        assert_eq!(of(&request, true), Some(Authority { host: "a.example", port: Some(8443) }));
        assert_eq!(of(&request, false), None);
    }

    proptest! {
        #[test]
        fn arbitrary_host_is_bounded(value in "\\PC{0,300}|[a-z0-9.:\\[\\]-]{0,60}") {
            if let Some(authority) = parse(&value) {
                prop_assert!((1..=MAX_HOST).contains(&authority.host.len()) && authority.host.is_ascii());
            }
        }
    }
}
