//! Cruddur's page: its files are embedded in the binary. A debug build reads them from the source folder, so that a
//! reload shows a change.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use serde_json::{Value, json};

use crate::options::LegacyClient;
use crate::seed::{ANDREW, DemoUser, USERS};
use crate::sign_in;

const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
const INDEX: &str = "index.html";
/// The page reads its settings from this file, which a static host stores and the local server writes.
const SETTINGS: &str = "settings.json";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; connect-src 'self'";

/// The page and what it needs to know about this server.
#[derive(Debug)]
pub struct Page {
    settings: String,
    links: String,
    policy: HeaderValue,
    folder: Option<PathBuf>,
}

impl Page {
    /// Returns the page of a server for `client`, with links into the console at the URL `console`. The page calls the API
    /// of the origin `api`, or that of its server.
    pub fn new(client: Option<LegacyClient>, api: Option<&str>, console: Option<&str>) -> Self {
        let sign_in = match client {
            Some(LegacyClient::Week2) => json!({ "kind": "fixed", "user": user(&ANDREW) }),
            None => json!({ "kind": "local", "path": sign_in::PATH, "users": USERS.each_ref().map(user) }),
        };
        let settings =
            json!({ "api": api.unwrap_or(""), "traces": "/v1/traces", "console": console, "sign_in": sign_in });
        let links = json!({
            "page": "/",
            "description": "/api/openapi.json",
            "health": "/api/health-check",
            "home": "/api/activities/home",
            "sign_in": sign_in::PATH,
            "console": console,
        });
        let policy = api.map_or_else(|| POLICY.to_owned(), |api| format!("{POLICY} {api}"));
        // An origin contains only characters that are valid in a header.
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY));
        let folder = cfg!(debug_assertions).then(|| PathBuf::from(SOURCE));
        Self { settings: settings.to_string(), links: links.to_string(), policy, folder }
    }

    /// Adds the page to `router`, which answers all requests that are not for one of its files.
    ///
    /// `/` is the page only for clients that accept HTML. For others, it is a list of links.
    pub fn add_to(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(Arc::new(self), serve))
    }

    fn find(&self, path: &str, headers: &HeaderMap) -> Option<(HeaderValue, Cow<'_, [u8]>)> {
        let name = match path.strip_prefix('/')? {
            "" if accepts_html(headers) => INDEX,
            "" => return Some((JSON, self.links.as_bytes().into())),
            SETTINGS => return Some((JSON, self.settings.as_bytes().into())),
            name => name,
        };
        Some((content_type(name)?, self.read(name)?))
    }

    fn read(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let from_disk = self.folder.as_ref().and_then(|folder| std::fs::read(folder.join(name)).ok());
        let embedded = || FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| Cow::Borrowed(*content));
        from_disk.map(Cow::Owned).or_else(embedded)
    }
}

/// Returns whether the page may have a file at `path`. The page has no folders, so it contains no path of the API.
pub fn is_page(path: &str) -> bool {
    match path.strip_prefix('/') {
        Some("" | SETTINGS) => true,
        Some(name) => content_type(name).is_some(),
        None => false,
    }
}

async fn serve(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let found = match *request.method() {
        Method::GET | Method::HEAD => page.find(request.uri().path(), request.headers()),
        _ => None,
    };
    match found {
        Some((content_type, content)) => response(content_type, page.policy.clone(), content.into_owned()),
        None => next.run(request).await,
    }
}

fn response(content_type: HeaderValue, policy: HeaderValue, content: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, policy),
        // Another version may run at the same address tomorrow.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (VARY, HeaderValue::from_static("accept")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ] {
        headers.insert(name, value);
    }
    response
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    ranges.filter_map(|range| range.split(';').next()).any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

/// Returns `None` for a name that is not one of a file of the page.
fn content_type(name: &str) -> Option<HeaderValue> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let (stem, ending) = name.split_once('.')?;
    if stem.is_empty() || !is_plain(stem) {
        return None;
    }
    match ending {
        "html" => Some(HeaderValue::from_static("text/html; charset=utf-8")),
        "css" => Some(HeaderValue::from_static("text/css; charset=utf-8")),
        "js" => Some(HeaderValue::from_static("text/javascript; charset=utf-8")),
        "svg" => Some(HeaderValue::from_static("image/svg+xml")),
        _ => None,
    }
}

fn user(user: &DemoUser) -> Value {
    json!({ "handle": user.handle, "display_name": user.display_name })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header::HOST;
    use tower::ServiceExt;

    use super::*;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn router(console: Option<&str>) -> Router {
        Page::new(None, None, console).add_to(Router::new().fallback(async || "the API"))
    }

    async fn send(router: Router, method: &str, path: &str, accept: Option<&str>) -> (HeaderMap, String) {
        let mut request = axum::http::Request::builder().method(method).uri(path).header(HOST, "localhost:3000");
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn body(method: &str, path: &str, accept: Option<&str>) -> String {
        send(router(None), method, path, accept).await.1
    }

    #[tokio::test]
    async fn root_is_the_page_for_browsers_and_links_for_others() {
        assert!(body("GET", "/", Some(BROWSER)).await.starts_with("<!doctype html>"));
        for accept in [None, Some("*/*"), Some("application/json"), Some("text/html2")] {
            let (headers, text) = send(router(None), "GET", "/", accept).await;
            assert_eq!((&headers[CONTENT_TYPE], &headers[VARY]), (&JSON, &HeaderValue::from_static("accept")));
            let links: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&links["home"], &links["sign_in"]), (&json!("/api/activities/home"), &json!("/local/sign-in")));
        }
    }

    #[tokio::test]
    async fn files_have_a_type_and_the_security_policy() {
        for (path, expected) in [
            ("/", "text/html; charset=utf-8"),
            ("/index.html", "text/html; charset=utf-8"),
            ("/main.js", "text/javascript; charset=utf-8"),
            ("/style.css", "text/css; charset=utf-8"),
            ("/icon.svg", "image/svg+xml"),
            ("/settings.json", "application/json"),
        ] {
            let (headers, _) = send(router(None), "GET", path, Some(BROWSER)).await;
            assert_eq!(headers[CONTENT_TYPE], expected, "{path}");
            assert_eq!(headers[CONTENT_SECURITY_POLICY], POLICY, "{path}");
            assert_eq!(
                (&headers[X_CONTENT_TYPE_OPTIONS], &headers[CACHE_CONTROL]),
                (&"nosniff".parse().unwrap(), &"no-cache".parse().unwrap())
            );
        }
    }

    #[tokio::test]
    async fn other_paths_and_methods_reach_the_api() {
        for (method, path) in [
            ("POST", "/"),
            ("DELETE", "/main.js"),
            ("GET", "/missing.js"),
            ("GET", "/package.json"),
            ("GET", "/tsconfig.json"),
            ("GET", "/types.d.ts"),
            ("GET", "/..%2fmain.js"),
            ("GET", "/.main.js"),
            ("GET", "//main.js"),
            ("GET", "/web/main.js"),
            ("GET", "/api/main.js"),
            ("GET", "/api/activities/home"),
            ("GET", "/local/sign-in"),
        ] {
            assert_eq!(body(method, path, Some(BROWSER)).await, "the API", "{method} {path}");
        }
    }

    #[tokio::test]
    async fn settings_name_the_demo_users_and_the_console() {
        let url = "http://127.0.0.1:4318/";
        let (_, text) = send(router(Some(url)), "GET", "/settings.json", None).await;
        let settings: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&settings["console"], &settings["sign_in"]["kind"]), (&json!(url), &json!("local")));
        assert_eq!(settings["sign_in"]["users"][0], json!({ "handle": "andrewbrown", "display_name": "Andrew Brown" }));
        let fixed: Value = serde_json::from_str(&Page::new(Some(LegacyClient::Week2), None, None).settings).unwrap();
        assert_eq!((&fixed["console"], &fixed["sign_in"]["user"]["handle"]), (&Value::Null, &json!("andrewbrown")));
    }

    #[tokio::test]
    async fn page_of_another_api_may_call_it() {
        let page = Page::new(None, Some("http://127.0.0.1:3001"), None);
        let (headers, text) = send(page.add_to(Router::new()), "GET", "/settings.json", None).await;
        let settings: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(settings["api"], "http://127.0.0.1:3001");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.ends_with("; connect-src 'self' http://127.0.0.1:3001"), "{policy}");
    }

    #[test]
    fn paths_of_the_api_are_not_of_the_page() {
        for path in ["/api/activities/home", "/api/openapi.json", "/local/sign-in", "/v1/traces", "*"] {
            assert!(!is_page(path), "{path}");
        }
        for path in ["/", "/main.js", "/settings.json"] {
            assert!(is_page(path), "{path}");
        }
    }

    #[test]
    fn all_files_are_embedded() {
        let page = Page { folder: None, ..Page::new(None, None, None) };
        for name in [INDEX, "main.js", "tracing.js", "style.css", "icon.svg"] {
            assert!(page.read(name).is_some(), "{name}");
        }
    }
}
