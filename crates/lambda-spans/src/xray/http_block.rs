//! The `http` block.

use std::borrow::Cow;

use super::json::Members;
use super::role::Role;
use super::span_attributes::{MAX_TEXT, SpanAttributes};
use crate::attributes::{
    CLIENT_ADDRESS, HTTP_REQUEST_METHOD, HTTP_RESPONSE_BODY_SIZE, HTTP_RESPONSE_STATUS_CODE, SERVER_ADDRESS,
    SERVER_PORT, URL_FULL, URL_PATH, URL_SCHEME, USER_AGENT_ORIGINAL, former,
};

/// The attributes that form a URL.
const PARTS: [&str; 4] = [URL_SCHEME, SERVER_ADDRESS, SERVER_PORT, URL_PATH];

pub(super) fn write(role: Role, attributes: &mut SpanAttributes<'_>, document: &mut Members<'_>) {
    document.object("http", |http| {
        // A database query and an AWS call have an address but no URL.
        if !matches!(role, Role::Sql | Role::Aws) {
            http.object("request", |request| write_request(attributes, request));
        }
        http.object("response", |response| write_response(attributes, response));
    });
}

fn write_request(attributes: &mut SpanAttributes<'_>, request: &mut Members<'_>) {
    if let Some((key, method)) = attributes.first_text(&[HTTP_REQUEST_METHOD, former::HTTP_METHOD])
        && method.len() <= MAX_TEXT
    {
        request.text("method", method, MAX_TEXT);
        attributes.mark_written(key);
    }
    attributes.write_first(request, "user_agent", &[USER_AGENT_ORIGINAL], MAX_TEXT);
    write_url(attributes, request);
    attributes.write_first(request, "client_ip", &[CLIENT_ADDRESS], MAX_TEXT);
}

fn write_response(attributes: &mut SpanAttributes<'_>, response: &mut Members<'_>) {
    for key in [HTTP_RESPONSE_STATUS_CODE, former::HTTP_STATUS_CODE] {
        if let Some(status @ 100..600) = attributes.integer(key) {
            response.number("status", status);
            attributes.mark_written(key);
            break;
        }
    }
    if let Some(size @ 0..) = attributes.integer(HTTP_RESPONSE_BODY_SIZE) {
        response.number("content_length", size);
        attributes.mark_written(HTTP_RESPONSE_BODY_SIZE);
    }
}

fn write_url(attributes: &mut SpanAttributes<'_>, request: &mut Members<'_>) {
    if attributes.write_first(request, "url", &[URL_FULL, former::HTTP_URL], MAX_TEXT) {
        return;
    }
    if let Some(url) = url_of_parts(attributes)
        && request.text("url", &url, MAX_TEXT)
    {
        PARTS.into_iter().for_each(|part| attributes.mark_written(part));
    }
}

fn url_of_parts(attributes: &SpanAttributes<'_>) -> Option<String> {
    let path = attributes.text(URL_PATH)?;
    let scheme = attributes.text(URL_SCHEME).unwrap_or("https");
    let host = attributes.text(SERVER_ADDRESS)?;
    let host = if host.contains(':') { Cow::Owned(format!("[{host}]")) } else { Cow::Borrowed(host) };
    let port = match (scheme, attributes.integer(SERVER_PORT)) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => Cow::Borrowed(""),
        (_, Some(port)) => Cow::Owned(format!(":{port}")),
    };
    Some(format!("{scheme}://{host}{port}{path}"))
}
