//! Which hosts and origins a request may name.
//!
//! A page of another site could send requests to a port on this machine. The page and the API accept only their own
//! hosts, which also stops DNS rebinding. The receivers accept any host, because containers address this machine by
//! other names, but no foreign origin.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// The hosts and origins that are accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// A request is not accepted, and the option that would admit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// The host is unknown.
    Host {
        /// The option.
        flag: Option<String>,
    },
    /// The origin is foreign.
    Origin {
        /// The option.
        flag: Option<String>,
    },
}

impl Admission {
    /// Returns the admission of loopback names, of the address that the server listens on, and of those that the
    /// options name.
    pub(crate) fn new(listen: std::net::IpAddr, hosts: &[String], origins: &[String]) -> Self {
        let own = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let listen = if listen.is_ipv6() { format!("[{listen}]") } else { listen.to_string() };
        let hosts = own.into_iter().chain([listen]).chain(hosts.iter().map(|host| host.to_ascii_lowercase()));
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase());
        Self { hosts: hosts.collect(), origins: origins.collect() }
    }

    /// Checks a request for the page or the API.
    ///
    /// # Errors
    /// If the host or the origin is not accepted.
    pub(crate) fn check_page(&self, headers: &HeaderMap) -> Result<(), Forbidden> {
        let host = text(headers, HOST.as_str()).unwrap_or_default().to_ascii_lowercase();
        if !self.is_own(&host) {
            let name = without_port(&host);
            let flag = is_plain(name).then(|| format!("--allow-host {name}"));
            return Err(Forbidden::Host { flag });
        }
        // A link of another site may lead here. Requests that change something have an `Origin`.
        let is_link = text(headers, "sec-fetch-mode") == Some("navigate")
            && text(headers, "sec-fetch-dest") == Some("document")
            && !headers.contains_key(ORIGIN);
        if is_link { Ok(()) } else { self.check_receiver(headers) }
    }

    /// Checks a request for a receiver.
    ///
    /// # Errors
    /// If a browser sent it from a foreign origin.
    pub(crate) fn check_receiver(&self, headers: &HeaderMap) -> Result<(), Forbidden> {
        match text(headers, ORIGIN.as_str()) {
            Some(origin) => {
                let origin = origin.to_ascii_lowercase();
                let host = text(headers, HOST.as_str()).unwrap_or_default().to_ascii_lowercase();
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                let is_own = authority == Some(host.as_str()) && self.is_own(&host);
                if is_own || self.allows(&origin) {
                    return Ok(());
                }
                let flag = (is_plain(&origin) && authority.is_some()).then(|| format!("--allow-origin {origin}"));
                Err(Forbidden::Origin { flag })
            }
            // A navigation or an image of another site has no `Origin`.
            None => match text(headers, "sec-fetch-site") {
                Some("cross-site" | "same-site") => Err(Forbidden::Origin { flag: None }),
                Some(_) | None => Ok(()),
            },
        }
    }

    /// Returns the origin of a request if a page of that origin may read the answer.
    pub(crate) fn allowed_origin<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        text(headers, ORIGIN.as_str()).filter(|origin| self.allows(&origin.to_ascii_lowercase()))
    }

    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin || allowed == "*")
    }

    fn is_own(&self, host: &str) -> bool {
        let name = without_port(host);
        self.hosts.iter().any(|own| own == name || own == host)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The flag is shown to be copied into a shell.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/-_[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn admission() -> Admission {
        let hosts = ["console.example".to_owned()];
        let origins = ["http://localhost:3000".to_owned()];
        Admission::new(IpAddr::V4(Ipv4Addr::LOCALHOST), &hosts, &origins)
    }

    #[test]
    fn page_accepts_its_own_hosts_only() {
        for host in ["127.0.0.1:4318", "localhost:9", "[::1]:4318", "LOCALHOST", "console.example:443"] {
            assert_eq!(admission().check_page(&headers(&[("host", host)])), Ok(()), "{host}");
        }
        let refused = |host: &str| admission().check_page(&headers(&[("host", host)])).unwrap_err();
        let flag = |name: &str| Forbidden::Host { flag: Some(format!("--allow-host {name}")) };
        assert_eq!(refused("evil.example:4318"), flag("evil.example"));
        assert_eq!(refused("127.0.0.1.evil.example"), flag("127.0.0.1.evil.example"));
        assert_eq!(refused("a;rm -rf"), Forbidden::Host { flag: None });
        assert_eq!(admission().check_page(&HeaderMap::new()), Err(Forbidden::Host { flag: None }));
    }

    #[test]
    fn link_of_another_site_leads_to_the_page() {
        let mut link = vec![
            ("host", "127.0.0.1:4318"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(admission().check_page(&headers(&link)), Ok(()));
        link.push(("origin", "https://evil.example"));
        assert!(admission().check_page(&headers(&link)).is_err());
        link.truncate(2);
        assert!(admission().check_page(&headers(&link)).is_err());
    }

    #[test]
    fn receiver_accepts_any_host_but_no_foreign_origin() {
        let check = |pairs: &[(&'static str, &str)]| admission().check_receiver(&headers(pairs));
        assert_eq!(check(&[("host", "host.docker.internal:4318")]), Ok(()));
        assert_eq!(check(&[("host", "127.0.0.1:4318"), ("origin", "http://127.0.0.1:4318")]), Ok(()));
        assert_eq!(check(&[("host", "127.0.0.1:4318"), ("origin", "http://localhost:3000")]), Ok(()));
        assert_eq!(check(&[("host", "x:1"), ("sec-fetch-site", "none")]), Ok(()));
        let foreign = |origin: &str| Err(Forbidden::Origin { flag: Some(format!("--allow-origin {origin}")) });
        assert_eq!(
            check(&[("host", "127.0.0.1:4318"), ("origin", "http://localhost:5173")]),
            foreign("http://localhost:5173")
        );
        // DNS rebinding: the host is the attacker's name.
        assert_eq!(
            check(&[("host", "evil.example"), ("origin", "http://evil.example")]),
            foreign("http://evil.example")
        );
        for pair in [("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")] {
            assert_eq!(check(&[("host", "127.0.0.1:4318"), pair]), Err(Forbidden::Origin { flag: None }), "{pair:?}");
        }
    }
}
