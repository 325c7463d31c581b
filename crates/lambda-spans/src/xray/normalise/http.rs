//! The `http` block.

use std::borrow::Cow;

use opentelemetry::KeyValue;

use super::{MAX_TEXT, Role};
use crate::xray::attributes::Attributes;

/// The parts of a URL.
const PARTS: [&str; 4] = ["url.scheme", "server.address", "server.port", "url.path"];

pub(super) fn say(role: Role, attributes: &mut Attributes<'_>, said: &mut Vec<KeyValue>) {
    for key in ["http.response.status_code", "http.status_code"] {
        if let Some(status @ 100..600) = attributes.integer(key) {
            said.push(KeyValue::new("http.response.status_code", status));
            attributes.say(key);
            break;
        }
    }
    if let Some(size @ 0..) = attributes.integer("http.response.body.size") {
        // The translator takes the size of what it is told was received.
        said.push(KeyValue::new("rpc.message.type", "RECEIVED"));
        said.push(KeyValue::new("http.response.body.size", size));
        attributes.say("http.response.body.size");
    }
    // A query of a database and a call of AWS have an address, but no URL.
    if matches!(role, Role::Sql | Role::Aws) {
        return;
    }
    if let Some((key, method)) = attributes.first_text(&["http.request.method", "http.method"])
        && method.len() <= MAX_TEXT
    {
        said.push(KeyValue::new("http.request.method", method.to_owned()));
        attributes.say(key);
    }
    if let Some(agent) = attributes.text("user_agent.original") {
        said.push(KeyValue::new("user_agent.original", attributes.cut("user_agent.original", agent, MAX_TEXT)));
    }
    if say_url(attributes, said)
        // Without a URL, the translator would make one of the client's address.
        && let Some(address) = attributes.text("client.address")
    {
        said.push(KeyValue::new("client.address", attributes.cut("client.address", address, MAX_TEXT)));
    }
}

fn say_url(attributes: &mut Attributes<'_>, said: &mut Vec<KeyValue>) -> bool {
    if let Some((key, url)) = attributes.first_text(&["url.full", "http.url"]) {
        said.push(KeyValue::new("url.full", attributes.cut(key, url, MAX_TEXT)));
        return true;
    }
    let Some(url) = of_parts(attributes) else { return false };
    if url.len() <= MAX_TEXT {
        PARTS.into_iter().for_each(|part| attributes.say(part));
        said.push(KeyValue::new("url.full", url));
    } else {
        said.push(KeyValue::new("url.full", attributes.cut("url.full", &url, MAX_TEXT)));
    }
    true
}

fn of_parts(attributes: &Attributes<'_>) -> Option<String> {
    let path = attributes.text("url.path")?;
    let scheme = attributes.text("url.scheme").unwrap_or("https");
    let host = attributes.text("server.address").unwrap_or("localhost");
    let port = match (scheme, attributes.integer("server.port")) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => Cow::Borrowed(""),
        (_, Some(port)) => Cow::Owned(format!(":{port}")),
    };
    Some(format!("{scheme}://{host}{port}{path}"))
}
