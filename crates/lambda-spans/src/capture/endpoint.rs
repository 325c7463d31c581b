//! The other end of a call.

use http::Uri;

/// Returns host and port of a URL. The port defaults to that of the scheme.
pub(super) fn server(uri: &Uri) -> Option<(String, u16)> {
    let port = uri.port_u16().or(match uri.scheme_str()? {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    })?;
    // The brackets of an IPv6 address belong to the URI.
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_has_the_port_of_the_scheme_by_default() {
        let of = |uri: &str| server(&uri.parse().unwrap()).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(of("https://sts.eu-west-1.amazonaws.com/?x=1").as_deref(), Some("sts.eu-west-1.amazonaws.com 443"));
        assert_eq!(of("http://127.0.0.1:8000/").as_deref(), Some("127.0.0.1 8000"));
        assert_eq!(of("http://[::1]/").as_deref(), Some("::1 80"));
        assert_eq!(of("/path"), None);
    }
}
