//! The `http` block.

use std::borrow::Cow;

use super::attributes::{MAX_TEXT, SpanAttributes};
use super::json::Members;
use super::role::Role;

/// The parts of a URL.
const PARTS: [&str; 4] = ["url.scheme", "server.address", "server.port", "url.path"];

pub(super) fn write(role: Role, attributes: &mut SpanAttributes<'_>, document: &mut Members<'_>) {
    document.object("http", |http| {
        // A query of a database and a call of AWS have an address, but no URL.
        if !matches!(role, Role::Sql | Role::Aws) {
            http.object("request", |request| write_request(attributes, request));
        }
        http.object("response", |response| write_response(attributes, response));
    });
}

fn write_request(attributes: &mut SpanAttributes<'_>, request: &mut Members<'_>) {
    if let Some((key, method)) = attributes.first_text(&["http.request.method", "http.method"])
        && method.len() <= MAX_TEXT
    {
        request.text("method", method, MAX_TEXT);
        attributes.mark_written(key);
    }
    attributes.write_first(request, "user_agent", &["user_agent.original"], MAX_TEXT);
    write_url(attributes, request);
    attributes.write_first(request, "client_ip", &["client.address"], MAX_TEXT);
}

fn write_response(attributes: &mut SpanAttributes<'_>, response: &mut Members<'_>) {
    for key in ["http.response.status_code", "http.status_code"] {
        if let Some(status @ 100..600) = attributes.integer(key) {
            response.number("status", status);
            attributes.mark_written(key);
            break;
        }
    }
    if let Some(size @ 0..) = attributes.integer("http.response.body.size") {
        response.number("content_length", size);
        attributes.mark_written("http.response.body.size");
    }
}

fn write_url(attributes: &mut SpanAttributes<'_>, request: &mut Members<'_>) {
    if attributes.write_first(request, "url", &["url.full", "http.url"], MAX_TEXT) {
        return;
    }
    if let Some(url) = url_of_parts(attributes)
        && request.text("url", &url, MAX_TEXT)
    {
        PARTS.into_iter().for_each(|part| attributes.mark_written(part));
    }
}

fn url_of_parts(attributes: &SpanAttributes<'_>) -> Option<String> {
    let path = attributes.text("url.path")?;
    let scheme = attributes.text("url.scheme").unwrap_or("https");
    let host = attributes.text("server.address").unwrap_or("localhost");
    let port = match (scheme, attributes.integer("server.port")) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => Cow::Borrowed(""),
        (_, Some(port)) => Cow::Owned(format!(":{port}")),
    };
    Some(format!("{scheme}://{host}{port}{path}"))
}
