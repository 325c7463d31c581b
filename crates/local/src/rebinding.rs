//! Rejects DNS rebinding: a page of another site whose host name resolves to 127.0.0.1.
//!
//! Such a page has the same origin as the local server, so CORS does not apply. But `Host` and `Origin` still carry the
//! name of the other site.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::problem::problem;

/// A longer name of a host is not repeated in a problem. DNS allows 253 characters.
const MAX_SHOWN: usize = 260;

/// Returns whether a path is guarded.
type IsGuarded = fn(&str) -> bool;

/// Rejects requests of `router` to the paths of `is_guarded` whose `Host` is not a name of the server at `address`, or whose
/// `Origin` is another one than the server's and `origins`.
///
/// The hosts of `origins` are names of the server too, because a development server that forwards requests keeps `Host`.
pub fn guard(router: Router, address: SocketAddr, origins: &[String], is_guarded: IsGuarded) -> Router {
    let allowed = Arc::new(Allowed::new(address, origins));
    router.layer(middleware::from_fn_with_state((allowed, is_guarded), check))
}

/// Returns whether `path` is for this machine's user only. These paths need no password.
pub fn is_local(path: &str) -> bool {
    path.starts_with("/local/")
}

/// Returns `true` for every path, for a server whose API needs no password either.
pub fn is_any(_path: &str) -> bool {
    true
}

/// Returns the origins of the server's own pages, and `origins`.
pub fn origins(address: SocketAddr, origins: &[String]) -> Vec<String> {
    Allowed::new(address, origins).origins
}

#[derive(Debug)]
struct Allowed {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// A header that a request to a guarded path must not have.
#[derive(Debug, PartialEq, Eq)]
struct Foreign {
    header: HeaderName,
    /// `None` if it is missing or cannot be shown.
    found: Option<String>,
}

impl Allowed {
    fn new(address: SocketAddr, origins: &[String]) -> Self {
        let port = address.port();
        let mut hosts = Vec::new();
        for name in ["127.0.0.1", "localhost", "[::1]"] {
            hosts.push(format!("{name}:{port}"));
            if port == 80 {
                hosts.push(name.to_owned());
            }
        }
        hosts.push(address.to_string());
        let mut allowed: Vec<_> = hosts.iter().map(|host| format!("http://{host}")).collect();
        allowed.extend_from_slice(origins);
        hosts.extend(origins.iter().filter_map(|origin| Some(origin.split_once("://")?.1.to_owned())));
        for list in [&mut hosts, &mut allowed] {
            list.sort_unstable();
            list.dedup();
        }
        Self { hosts, origins: allowed }
    }

    fn find_foreign(&self, request: &Request) -> Option<Foreign> {
        // The target of a request may be a whole URL, and then replaces `Host`.
        let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let headers = request.headers();
        let mut hosts = target.into_iter().chain(values(headers, &HOST)).peekable();
        if hosts.peek().is_none() {
            return Some(Foreign { header: HOST, found: None });
        }
        let foreign_host = hosts.find(|host| !is_in(host, &self.hosts));
        let foreign_origin = || values(headers, &ORIGIN).find(|origin| !is_in(origin, &self.origins));
        let foreign = foreign_host.map(|found| (HOST, found)).or_else(|| Some((ORIGIN, foreign_origin()?)));
        foreign.map(|(header, found)| Foreign { header, found: shown(found) })
    }

    fn problem(&self, foreign: &Foreign) -> Response {
        let is_host = foreign.header == HOST;
        let (status, code, name, allowed) = if is_host {
            (StatusCode::MISDIRECTED_REQUEST, "foreign_host", "Host", &self.hosts)
        } else {
            (StatusCode::FORBIDDEN, "foreign_origin", "Origin", &self.origins)
        };
        let found =
            foreign.found.as_ref().map_or_else(|| "is missing or invalid".to_owned(), |it| format!("is `{it}`"));
        let allowed = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        let hint = if is_host { "" } else { " Allow another origin with `--allow-origin`." };
        let detail = format!("The header `{name}` {found}. This path requires one of {allowed}.{hint}");
        problem(status, Some(code), &detail)
    }
}

async fn check(
    State((allowed, is_guarded)): State<(Arc<Allowed>, IsGuarded)>,
    request: Request,
    next: Next,
) -> Response {
    let foreign = is_guarded(request.uri().path()).then(|| allowed.find_foreign(&request)).flatten();
    match foreign {
        Some(foreign) => allowed.problem(&foreign),
        None => next.run(request).await,
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes)
}

fn is_in(value: &[u8], allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| value.eq_ignore_ascii_case(allowed.as_bytes()))
}

fn shown(value: &[u8]) -> Option<String> {
    let is_short = value.len() <= MAX_SHOWN && value.iter().all(u8::is_ascii_graphic);
    is_short.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::any;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;

    const PAGE: &str = "http://dev.example.test:5173";

    fn router() -> Router {
        let router = Router::new().route("/local/sign-in", any(|| async { "token" }));
        let router = router.route("/api/activities", any(|| async { "posts" }));
        guard(router, SocketAddr::from(([127, 0, 0, 1], 3000)), &[PAGE.to_owned()], is_local)
    }

    async fn send(target: &str, headers: &[(HeaderName, &str)]) -> (u16, Value) {
        let mut request = axum::http::Request::post(target);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 65_536).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn status_of_host(host: &str) -> u16 {
        send("/local/sign-in", &[(HOST, host)]).await.0
    }

    async fn status_of_origin(origin: &str) -> u16 {
        send("/local/sign-in", &[(HOST, "127.0.0.1:3000"), (ORIGIN, origin)]).await.0
    }

    #[tokio::test]
    async fn own_host_with_port_is_accepted() {
        for host in ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000", "dev.example.test:5173"] {
            assert_eq!(status_of_host(host).await, 200, "{host}");
        }
    }

    #[tokio::test]
    async fn foreign_host_is_rejected() {
        for host in [
            "attacker.example",
            "attacker.example:3000",
            "localhost",
            "localhost:3001",
            "127.0.0.1",
            "127.0.0.1:3000.attacker.example",
            "localhost:3000@attacker.example",
            "",
        ] {
            assert_eq!(status_of_host(host).await, 421, "{host}");
        }
        assert_eq!(send("/local/sign-in", &[]).await.0, 421);
        assert_eq!(send("/local/sign-in", &[(HOST, "localhost:3000"), (HOST, "attacker.example")]).await.0, 421);
        assert_eq!(send("http://attacker.example/local/sign-in", &[(HOST, "localhost:3000")]).await.0, 421);
    }

    #[tokio::test]
    async fn own_or_allowed_origin_is_accepted() {
        for origin in ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000", PAGE] {
            assert_eq!(status_of_origin(origin).await, 200, "{origin}");
        }
    }

    #[tokio::test]
    async fn foreign_origin_is_rejected() {
        for origin in ["http://attacker.example", "http://localhost:5173", "https://localhost:3000", "null", ""] {
            assert_eq!(status_of_origin(origin).await, 403, "{origin}");
        }
    }

    #[tokio::test]
    async fn problem_shows_what_was_found_and_what_is_allowed() {
        let (_, problem) = send("/local/sign-in", &[(HOST, "attacker.example")]).await;
        assert_eq!((&problem["status"], &problem["code"]), (&json!(421), &json!("foreign_host")));
        let detail = problem["detail"].as_str().unwrap();
        for text in ["`attacker.example`", "`127.0.0.1:3000`", "`localhost:3000`", "`[::1]:3000`"] {
            assert!(detail.contains(text), "{detail}");
        }
        let (_, problem) =
            send("/local/sign-in", &[(HOST, "localhost:3000"), (ORIGIN, "http://attacker.example")]).await;
        assert_eq!((&problem["status"], &problem["code"]), (&json!(403), &json!("foreign_origin")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("`http://attacker.example`") && detail.contains(&format!("`{PAGE}`")), "{detail}");
    }

    #[tokio::test]
    async fn long_or_binary_host_is_not_repeated() {
        for host in ["x".repeat(MAX_SHOWN + 1), "two words".to_owned()] {
            let (status, problem) = send("/local/sign-in", &[(HOST, &host)]).await;
            assert_eq!(status, 421);
            assert!(!problem["detail"].as_str().unwrap().contains(&host));
        }
    }

    #[tokio::test]
    async fn port_80_may_be_left_out() {
        let allowed = Allowed::new(SocketAddr::from(([127, 0, 0, 1], 80)), &[]);
        let request = Request::builder().uri("/local/sign-in").header(HOST, "localhost");
        let request = request.header(ORIGIN, "http://localhost").body(Body::empty()).unwrap();
        assert_eq!(allowed.find_foreign(&request), None);
    }

    #[tokio::test]
    async fn api_accepts_every_host_and_origin() {
        let headers = [(HOST, "host.docker.internal:3000"), (ORIGIN, "http://attacker.example")];
        assert_eq!(send("/api/activities", &headers).await.0, 200);
    }
}
