//! A span's attributes under the names and within the limits of the X-Ray translator.

use std::collections::HashSet;

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::propagation::CLIENT_TRACE_ID;

/// Bytes that the translator allows for a URL and for a user agent; beyond, it refuses the span.
const MAX_URL: usize = 250;
const MAX_ANNOTATION: usize = 1000;
const MAX_METADATA: usize = 4000;
/// The application's own attributes can be searched for in X-Ray.
const ANNOTATED: &str = "app.";

pub(super) fn for_xray(span: &SpanData) -> Vec<KeyValue> {
    let text = |key: &str| span.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(text_of);
    let mut attributes = Vec::with_capacity(span.attributes.len() + 2);
    let mut annotations = HashSet::new();
    for attribute in &span.attributes {
        let (key, value) = (attribute.key.as_str(), &attribute.value);
        match key {
            // Its parts make the URL below; by themselves they would draw a remote node or a database.
            "url.scheme" | "url.path" | "url.query" | "url.domain" | "url.port" | "url.full" | "http.url"
            | "server.address" | "server.port" | "client.address" | "client.port" => {}
            "user_agent.original" => attributes.push(KeyValue::new(key.to_owned(), cut(&text_of(attribute), MAX_URL))),
            // The names that the translator knows an AWS call by.
            "rpc.system.name" => attributes.push(KeyValue::new("rpc.system", value.clone())),
            "rpc.method" => attributes.extend(rpc_method(&text_of(attribute))),
            "peer.service" | "aws.service" | "rpc.service" | "db.service" | "service.name" => {
                attributes.push(KeyValue::new(key.to_owned(), super::name(&text_of(attribute))));
            }
            _ if key.starts_with(ANNOTATED) || key == CLIENT_TRACE_ID => {
                // Two keys that X-Ray cannot tell apart would be written twice into one object.
                if annotations.insert(annotation_key(key)) {
                    attributes.push(KeyValue::new(format!("annotation.{key}"), bounded(value, MAX_ANNOTATION)));
                }
            }
            _ => attributes.push(KeyValue::new(attribute.key.clone(), bounded(value, MAX_METADATA))),
        }
    }
    let url = text("url.full").or_else(|| text("http.url")).or_else(|| {
        let path = text("url.path")?;
        let host = text("server.address").unwrap_or_else(|| "localhost".to_owned());
        Some(format!("{}://{host}{path}", text("url.scheme").unwrap_or_else(|| "https".to_owned())))
    });
    attributes.extend(url.map(|url| KeyValue::new("url.full", cut(&url, MAX_URL))));
    attributes
}

/// `DynamoDB/Query`, or a method alone.
fn rpc_method(method: &str) -> Vec<KeyValue> {
    match method.rsplit_once('/') {
        Some((service, method)) => {
            vec![KeyValue::new("rpc.service", super::name(service)), KeyValue::new("rpc.method", method.to_owned())]
        }
        None => vec![KeyValue::new("rpc.method", method.to_owned())],
    }
}

fn annotation_key(key: &str) -> String {
    key.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}

fn bounded(value: &Value, limit: usize) -> Value {
    if let Value::String(text) = value
        && text.as_str().len() > limit
    {
        return Value::from(cut(text.as_str(), limit));
    }
    // JSON has no word for NaN and the infinities.
    if let Value::F64(number) = value
        && !number.is_finite()
    {
        return Value::from(number.to_string());
    }
    value.clone()
}

/// The beginning of `text`, at most `limit` bytes, with a mark where something was cut off.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit - "…".len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn text_of(attribute: &KeyValue) -> String {
    attribute.value.as_str().into_owned()
}
