//! The proxies between this process and its receivers.

use hyper_util::client::proxy::matcher::Matcher;

use crate::variables::url::Url;
use crate::variables::{Reader, shown};

/// Requests to this machine and to its link never use a proxy: the Runtime API, the X-Ray daemon and the endpoints of
/// credentials are there.
const NEVER: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10";

/// The variables of curl, which most programs read.
#[derive(Clone, Default)]
pub(crate) struct ProxySettings {
    http: Option<String>,
    https: Option<String>,
    except: String,
}

/// Shows no URL, because it may contain a password.
impl std::fmt::Debug for ProxySettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (http, https) = (self.http.is_some(), self.https.is_some());
        formatter.debug_struct("ProxySettings").field("http", &http).field("https", &https).finish_non_exhaustive()
    }
}

impl ProxySettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let except = reader.first(&["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, hosts)| format!(",{hosts}"));
        Self {
            http: reader.parsed(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"], proxy),
            https: reader.parsed(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"], proxy),
            except: format!("{NEVER}{except}"),
        }
    }

    /// Returns what decides about the proxy of a URL, or `None` without proxies.
    pub(super) fn matcher(&self) -> Option<Matcher> {
        if self.http.is_none() && self.https.is_none() {
            return None;
        }
        let (http, https) = (self.http.clone().unwrap_or_default(), self.https.clone().unwrap_or_default());
        Some(Matcher::builder().http(http).https(https).no(self.except.as_str()).build())
    }
}

/// Accepts the URL of an HTTP proxy. As in curl, the scheme is optional.
fn proxy(value: &str) -> Result<String, String> {
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    if Url::parse(&url).is_some() {
        return Ok(url);
    }
    let shown = shown(value.rsplit('@').next().unwrap_or(value));
    Err(format!("found {shown}; allowed is the URL of an HTTP proxy, such as `http://host:3128`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_excepted_hosts_use_no_proxy() {
        let proxy = Some("http://proxy.example:3128".to_owned());
        let except = format!("{NEVER},internal.example");
        let matcher = ProxySettings { http: proxy, https: None, except }.matcher().expect("a proxy");
        let uses_proxy = |url: &str| matcher.intercept(&url.parse().expect("a URL")).is_some();
        for host in ["localhost", "LOCALHOST", "127.8.8.8", "[::1]", "169.254.170.23", "a.internal.example"] {
            assert!(!uses_proxy(&format!("http://{host}:4318/")), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "[2001:db8::1]"] {
            assert!(uses_proxy(&format!("http://{host}/")), "{host}");
        }
        assert!(!uses_proxy("https://10.0.0.1/"));
        assert!(ProxySettings::default().matcher().is_none());
    }
}
