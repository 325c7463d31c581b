//! What a request says of itself. All of it comes from the caller: bounded, and checked before it is kept.

use http::{HeaderMap, Method, Request, Version, header};
use http_body::Body;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue};

const MAX_PATH: usize = 1024;
const MAX_HOST: usize = 253;
const MAX_USER_AGENT: usize = 256;

pub(super) fn describe<B: Body>(context: &Context, request: &Request<B>) {
    let span = context.span();
    let method = method(request.method());
    span.update_name(if method == "_OTHER" { "HTTP" } else { method }.to_owned());
    span.set_attribute(KeyValue::new("http.request.method", method));
    if method == "_OTHER" {
        span.set_attribute(KeyValue::new("http.request.method_original", clip(request.method().as_str(), 32)));
    }
    span.set_attribute(KeyValue::new("url.path", clip(request.uri().path(), MAX_PATH)));
    span.set_attribute(KeyValue::new("url.scheme", scheme(request)));
    if matches!(request.extensions().get(), Some(lambda_http::request::RequestContext::ApiGatewayV1(_))) {
        span.set_attribute(KeyValue::new("faas.trigger", "http"));
    }
    let optional = [
        ("server.address", host(request)),
        ("user_agent.original", header_text(request.headers(), header::USER_AGENT, MAX_USER_AGENT)),
        ("network.protocol.version", version(request.version()).map(str::to_owned)),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            span.set_attribute(KeyValue::new(key, value));
        }
    }
    if let Some(size) = request.body().size_hint().exact().and_then(|size| i64::try_from(size).ok()) {
        span.set_attribute(KeyValue::new("http.request.body.size", size));
    }
}

/// The methods of the semantic conventions; any other would let a caller make up span names.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "PATCH" => "PATCH",
        "QUERY" => "QUERY",
        _ => "_OTHER",
    }
}

fn scheme<B>(request: &Request<B>) -> &'static str {
    let forwarded = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    match forwarded.or(request.uri().scheme_str()) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    }
}

fn host<B>(request: &Request<B>) -> Option<String> {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let authority: http::uri::Authority =
        header.or_else(|| request.uri().authority().map(|a| a.as_str()))?.parse().ok()?;
    Some(authority.host().to_owned()).filter(|host| host.len() <= MAX_HOST)
}

fn header_text(headers: &HeaderMap, name: header::HeaderName, limit: usize) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|text| clip(text, limit))
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// The beginning of `text`, at most `limit` bytes.
fn clip(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
