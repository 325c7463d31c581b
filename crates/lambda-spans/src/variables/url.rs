//! URLs in variables: credentials become a header, and a path can be appended before the query.

use std::fmt;
#[cfg(feature = "sigv4")]
use std::net::IpAddr;

use aws_smithy_types::base64;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

/// An `http` or `https` URL. Its text never contains the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    scheme: Scheme,
    authority: Authority,
    path: String,
    query: Option<String>,
    /// The value of `Authorization` for the credentials of the URL.
    authorization: Option<HeaderValue>,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme().filter(|scheme| **scheme == Scheme::HTTP || **scheme == Scheme::HTTPS)?.clone();
        let (authority, authorization) = match uri.authority()?.as_str().rsplit_once('@') {
            None => (uri.authority()?.clone(), None),
            Some((credentials, host)) => (host.parse().ok()?, Some(basic(credentials)?)),
        };
        if authority.host().is_empty() {
            return None;
        }
        let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
        Some(Self { scheme, authority, path, query, authorization })
    }

    /// Appends `path` to the path, before the query.
    pub(crate) fn with_path(mut self, path: &str) -> Self {
        self.path.truncate(self.path.trim_end_matches('/').len());
        self.path.push_str(path);
        self
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns the URL for requests.
    pub(crate) fn uri(&self) -> Uri {
        // A URL that was parsed can be parsed again.
        self.to_string().parse().unwrap_or_default()
    }

    /// Returns whether the URL names this machine.
    #[cfg(feature = "sigv4")]
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Returns the URL without its query, which may contain a key.
    pub(crate) fn without_query(&self) -> Self {
        Self { query: None, ..self.clone() }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme, self.authority, self.path)?;
        self.query.as_ref().map_or(Ok(()), |query| write!(formatter, "?{query}"))
    }
}

/// Returns HTTP's basic authentication for the percent-encoded `user:password`.
fn basic(credentials: &str) -> Option<HeaderValue> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let mut decoded: Vec<u8> = percent_decode_str(user).collect();
    decoded.push(b':');
    decoded.extend(percent_decode_str(password));
    let mut value = HeaderValue::try_from(format!("Basic {}", base64::encode(decoded))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn path_is_appended_before_the_query() {
        let traces = |text| url(text).with_path("/v1/traces").to_string();
        assert_eq!(traces("HTTP://collector:4318"), "http://collector:4318/v1/traces");
        assert_eq!(traces("https://host/base/"), "https://host/base/v1/traces");
        assert_eq!(traces("https://host/base?key=1&b=/"), "https://host/base/v1/traces?key=1&b=/");
        assert_eq!(url("https://host?key=1").without_query().to_string(), "https://host/");
    }

    #[test]
    fn credentials_become_basic_authentication() {
        let url = url("https://user:p%40ss%3A@host:8443/x");
        assert_eq!(url.to_string(), "https://host:8443/x");
        // printf 'user:p@ss:' | base64
        assert_eq!(url.authorization().expect("a header").as_bytes(), b"Basic dXNlcjpwQHNzOg==");
        assert!(!format!("{url:?}").contains("dXNlcjpwQHNzOg"));
    }

    #[test]
    fn other_schemes_and_missing_hosts_are_rejected() {
        for text in ["collector:4318", "host", "ftp://host/", "http://", "http:///x", "http://:4318", "grpc://host"] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[cfg(feature = "sigv4")]
    #[test]
    fn loopback_is_recognized_by_name_and_address() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "[::1]"] {
            assert!(url(&format!("http://{host}:4318/")).is_loopback(), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "[2001:db8::1]"] {
            assert!(!url(&format!("http://{host}/")).is_loopback(), "{host}");
        }
    }
}
