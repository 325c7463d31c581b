//! The page's files: embedded in the binary. A debug build reads them from the source folder, so that a reload shows a
//! change.

use std::borrow::Cow;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode, Uri};
use axum::routing::get;

const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
const INDEX: &str = "index.html";
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Returns the route of the page. `folder` replaces the embedded files.
pub(crate) fn routes(folder: Option<PathBuf>) -> Router {
    let folder = folder.or_else(|| cfg!(debug_assertions).then(|| PathBuf::from(SOURCE)));
    Router::new().fallback(get(move |uri: Uri| async move { file(uri.path(), folder.as_ref()) }))
}

fn file(path: &str, folder: Option<&PathBuf>) -> Response<Body> {
    // All files are in one folder, so that the page also works below a path.
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_file = name.contains('.');
    // Every other path is a view of the page.
    let name = if is_file { name } else { INDEX };
    let Some(content) = read(name, folder) else {
        let mut response = Response::new(Body::from("There is no such file.\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let mut response = Response::new(Body::from(content.into_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type(name));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    // Another version may run at the same address tomorrow.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn read(name: &str, folder: Option<&PathBuf>) -> Option<Cow<'static, [u8]>> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_plain || name.starts_with('.') || content_type(name) == OTHER {
        return None;
    }
    let from_disk = folder.and_then(|folder| std::fs::read(folder.join(name)).ok());
    let embedded = || FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| Cow::Borrowed(*content));
    from_disk.map(Cow::Owned).or_else(embedded)
}

const OTHER: HeaderValue = HeaderValue::from_static("application/octet-stream");

fn content_type(name: &str) -> HeaderValue {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => HeaderValue::from_static("text/html; charset=utf-8"),
        "css" => HeaderValue::from_static("text/css; charset=utf-8"),
        "js" => HeaderValue::from_static("text/javascript; charset=utf-8"),
        "svg" => HeaderValue::from_static("image/svg+xml"),
        "ico" => HeaderValue::from_static("image/x-icon"),
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_folders_and_types_are_not_served() {
        let folder = PathBuf::from(SOURCE);
        for name in ["../Cargo.toml", "package.json", "tsconfig.json", ".hidden.js", "missing.js", "..%2fx.js"] {
            assert_eq!(read(name, Some(&folder)), None, "{name}");
        }
    }

    #[test]
    fn index_is_embedded() {
        assert!(read(INDEX, None).is_some());
    }
}
