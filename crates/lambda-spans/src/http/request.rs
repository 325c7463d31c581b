//! Attributes of the request. The caller controls all of them, so they are checked and bounded.

use http::{HeaderMap, Request, Version, header};
use http_body::Body;
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::authority;
use crate::attributes::{
    CLIENT_ADDRESS, FAAS_TRIGGER, HTTP_REQUEST_BODY_SIZE, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL,
    NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_PATH, URL_SCHEME, USER_AGENT_ORIGINAL,
};
use crate::trace::http_method::method_name;

/// The characters that a URL's path does not contain. API Gateway decodes some paths.
const NOT_IN_PATHS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');
const MAX_PATH: usize = 1024;
const MAX_USER_AGENT: usize = 256;
/// The maximum length of an IPv6 address with a zone.
const MAX_ADDRESS: usize = 64;

pub(super) fn describe<B: Body>(context: &Context, request: &Request<B>, client_address: bool) {
    let span = context.span();
    let method = method_name(request.method());
    span.update_name(if method == "_OTHER" { "HTTP" } else { method }.to_owned());
    span.set_attribute(KeyValue::new(HTTP_REQUEST_METHOD, method));
    if method == "_OTHER" {
        span.set_attribute(KeyValue::new(HTTP_REQUEST_METHOD_ORIGINAL, clip(request.method().as_str(), 32)));
    }
    let event = request.extensions().get::<RequestContext>();
    let path = utf8_percent_encode(path(request), NOT_IN_PATHS).to_string();
    span.set_attribute(KeyValue::new(URL_PATH, clip(&path, MAX_PATH)));
    span.set_attribute(KeyValue::new(URL_SCHEME, scheme(request)));
    if event.is_some() {
        span.set_attribute(KeyValue::new(FAAS_TRIGGER, "http"));
    }
    let client = if client_address { client(event, request.headers()) } else { None };
    // The URI of a request that was built from an event may not be the client's.
    let server = authority::of(request, event.is_none());
    if let Some(port) = server.and_then(|server| server.port) {
        span.set_attribute(KeyValue::new(SERVER_PORT, i64::from(port)));
    }
    let optional = [
        (SERVER_ADDRESS, server.map(|server| server.host.to_owned())),
        (CLIENT_ADDRESS, client.map(|address| clip(&address, MAX_ADDRESS))),
        (USER_AGENT_ORIGINAL, header_text(request.headers(), header::USER_AGENT, MAX_USER_AGENT)),
        (NETWORK_PROTOCOL_VERSION, version(event, request.version()).map(str::to_owned)),
    ];
    for (key, value) in optional {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            span.set_attribute(KeyValue::new(key, value));
        }
    }
    // An empty body reports that it has ended, but no size.
    let size = if request.body().is_end_stream() { Some(0) } else { request.body().size_hint().exact() };
    if let Some(size) = size.and_then(|size| i64::try_from(size).ok()) {
        span.set_attribute(KeyValue::new(HTTP_REQUEST_BODY_SIZE, size));
    }
}

/// Returns the address that AWS saw. A load balancer appends it to `X-Forwarded-For`; earlier entries are the client's
/// claim.
fn client(event: Option<&RequestContext>, headers: &HeaderMap) -> Option<String> {
    match event? {
        RequestContext::ApiGatewayV1(context) => context.identity.source_ip.clone(),
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.clone(),
        RequestContext::Alb(_) => {
            let forwarded = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            forwarded.rsplit(',').next().map(|address| address.trim().to_owned())
        }
        RequestContext::WebSocket(context) => context.identity.source_ip.clone(),
        RequestContext::VpcLattice(_) | _ => None,
    }
}

/// Returns the path that the client sent. An event's other paths lack the stage or add it.
pub(super) fn path<B>(request: &Request<B>) -> &str {
    let sent = match request.extensions().get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV1(context)) => context.path.as_deref(),
        Some(RequestContext::ApiGatewayV2(context)) => context.http.path.as_deref(),
        Some(_) | None => None,
    };
    // `sam local` writes the resource, such as `/items/{id}`, instead of the path. No client sends braces.
    let sent = sent.filter(|path| !path.contains(['{', '}'])).unwrap_or_default();
    let paths = [sent, request.raw_http_path()];
    paths.into_iter().find(|path| path.starts_with('/')).unwrap_or_else(|| request.uri().path())
}

/// Returns the client's scheme. Each proxy appends its own.
fn scheme<B>(request: &Request<B>) -> &'static str {
    let forwarded = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let first = forwarded.and_then(|schemes| schemes.split(',').next()).map(str::trim);
    match first.or(request.uri().scheme_str()) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName, limit: usize) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|text| clip(text, limit))
}

/// Returns the client's protocol version. The version of the request built from an event is meaningless.
fn version(event: Option<&RequestContext>, version: Version) -> Option<&'static str> {
    let protocol = match event {
        None => return version_number(version),
        Some(RequestContext::ApiGatewayV1(context)) => context.protocol.as_deref()?,
        Some(RequestContext::ApiGatewayV2(context)) => context.http.protocol.as_deref()?,
        Some(_) => return None,
    };
    match protocol {
        "HTTP/1.0" => Some("1.0"),
        "HTTP/1.1" => Some("1.1"),
        "HTTP/2" | "HTTP/2.0" => Some("2"),
        "HTTP/3" | "HTTP/3.0" => Some("3"),
        _ => None,
    }
}

fn version_number(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// Returns the first `limit` bytes of `text` at most.
fn clip(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = include_str!("../../tests/data/apigw_rest.json");

    fn path_of(sent: &str) -> String {
        let event = REST.replace(r#""path": "/prod/items/42""#, &format!(r#""path": {sent}"#));
        path(&lambda_http::request::from_str(&event).expect("an event")).to_owned()
    }

    #[test]
    fn path_without_the_clients_is_the_events() {
        assert_eq!(path_of(r#""/prod/items/42""#), "/prod/items/42");
        for emulated in [r#""/items/{id}""#, r#""/{proxy+}""#, r#""""#, "null"] {
            assert_eq!(path_of(emulated), "/items/42", "{emulated}");
        }
        assert_eq!(path(&Request::get("/items/42?x=1").body(()).expect("a request")), "/items/42");
    }
}
