//! The route of a request: low cardinality, without the stage.

use http::{Extensions, Method, Request};
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue};

use super::request;
use crate::attributes::{AWS_API_GATEWAY_ROUTE_KEY, HTTP_ROUTE, URL_PATH};
use crate::trace::http_method::method_name;

/// The conventions' replacement for a redacted value.
const REDACTED: &str = "REDACTED";

pub(super) fn record(context: &Context, method: &Method, route: &str) {
    let span = context.span();
    span.set_attribute(KeyValue::new(HTTP_ROUTE, route.to_owned()));
    let method = method_name(method);
    span.update_name(format!("{} {route}", if method == "_OTHER" { "HTTP" } else { method }));
}

/// Replaces the values of the route's parameters in the path that the client sent.
pub(super) fn redact<B>(context: &Context, route: Option<&str>, request: &Request<B>) {
    let path = match route.map(|route| without_stage(route, request)) {
        None => format!("/{REDACTED}"),
        Some(route) if route.contains('{') => sent_prefix(route, request) + &redacted(route),
        Some(_) => return,
    };
    context.span().set_attribute(KeyValue::new(URL_PATH, path));
}

fn redacted(route: &str) -> String {
    let mut parts = route.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + REDACTED + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// Returns the route that API Gateway matched. The function's own router is more precise and overrides it.
pub(super) fn matched_by_gateway(extensions: &Extensions) -> Option<&str> {
    let route = match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV1(context) => context.resource_path.as_deref()?,
        // `GET /items/{id}`, or `$default`, which a function URL always has.
        RequestContext::ApiGatewayV2(context) => context.route_key.as_deref()?.split_once(' ')?.1,
        RequestContext::Alb(_) | _ => return None,
    };
    route.starts_with('/').then_some(route)
}

/// Returns the route of a WebSocket API's event, such as `$connect` or `sendMessage`.
///
/// The route names the span. It is not an `http.route`, because it is not a path: all routes share the path of the API.
pub(super) fn web_socket_route(extensions: &Extensions) -> Option<&str> {
    match extensions.get::<RequestContext>()? {
        RequestContext::WebSocket(context) => context.route_key.as_deref().filter(|route| is_route_key(route)),
        RequestContext::Alb(_) | _ => None,
    }
}

/// API Gateway limits a route key to 128 characters.
fn is_route_key(route: &str) -> bool {
    (1..=128).contains(&route.len()) && !route.chars().any(char::is_control)
}

pub(super) fn record_web_socket(context: &Context, route: &str) {
    let span = context.span();
    span.set_attribute(KeyValue::new(AWS_API_GATEWAY_ROUTE_KEY, route.to_owned()));
    span.update_name(route.to_owned());
}

/// Returns `route` without the stage.
///
/// `lambda_http` prefixes the path with the stage by default, so that the router behind it has routes such as
/// `/prod/items` or `/{stage}/items`.
pub(super) fn without_stage<'a, B>(route: &'a str, request: &Request<B>) -> &'a str {
    let Some(stage) = stage(request.extensions()) else { return route };
    let raw = request.raw_http_path();
    let path = request.uri().path();
    let staged = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)) == Some(raw);
    let Some((first, _)) = route.strip_prefix('/').and_then(|route| route.split_once('/')) else { return route };
    let (_, rest) = route.split_at(1 + first.len());
    if staged && (first == stage || first.starts_with('{')) { rest } else { route }
}

/// Returns what the client's path has before the route: the stage, or the base path of a custom domain.
fn sent_prefix<B>(route: &str, request: &Request<B>) -> String {
    let stage = sent_stage(request);
    if stage.is_empty() { base_path(route, request) } else { stage }
}

/// Returns `/v1` if the client's path is `/v1/items/42` and the route `/items/{id}`. API Gateway rejects all base paths
/// but those of the domain, so that the client's input cannot be in one.
fn base_path<B>(route: &str, request: &Request<B>) -> String {
    let fixed = route.split('{').next().and_then(|fixed| fixed.rsplit_once('/'));
    let (Some(_), Some((fixed, _))) = (stage(request.extensions()), fixed) else { return String::new() };
    let sent = request::path(request);
    // The first match: the values of parameters, which follow, may repeat it.
    sent.find(&format!("{fixed}/")).and_then(|at| sent.get(..at)).unwrap_or_default().to_owned()
}

/// Returns `/prod` if the client's path has the stage but the event's does not.
fn sent_stage<B>(request: &Request<B>) -> String {
    let Some(stage) = stage(request.extensions()).map(|stage| format!("/{stage}")) else { return String::new() };
    let (sent, event) = (request::path(request), request.raw_http_path());
    // The two paths may differ in their encoding.
    let has_one_more = sent.matches('/').count() == event.matches('/').count() + 1;
    if has_one_more && sent.starts_with(&format!("{stage}/")) { stage } else { String::new() }
}

fn stage(extensions: &Extensions) -> Option<&str> {
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV1(context) => context.stage.as_deref(),
        RequestContext::ApiGatewayV2(context) => context.stage.as_deref().filter(|stage| *stage != "$default"),
        RequestContext::Alb(_) | _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = include_str!("../../tests/data/apigw_rest.json");

    fn request(path: &str) -> lambda_http::Request {
        let event = REST.replace("/items/42", path);
        lambda_http::request::from_str(&event).expect("an event")
    }

    #[test]
    fn stage_is_removed_from_the_route() {
        let request = request("/items/42");
        assert_eq!(request.uri().path(), "/prod/items/42");
        assert_eq!(without_stage("/prod/items/{id}", &request), "/items/{id}");
        assert_eq!(without_stage("/{stage}/items/{id}", &request), "/items/{id}");
        assert_eq!(without_stage("/items/{id}", &request), "/items/{id}");
        assert_eq!(without_stage("/{*rest}", &request), "/{*rest}");
    }

    #[test]
    fn every_parameter_of_a_route_is_redacted() {
        assert_eq!(redacted("/items/{id}"), "/items/REDACTED");
        assert_eq!(redacted("/@{handle}/status/{id}"), "/@REDACTED/status/REDACTED");
        assert_eq!(redacted("/files/{*rest}"), "/files/REDACTED");
    }

    #[test]
    fn redacted_path_keeps_the_stage_that_was_sent() {
        assert_eq!(sent_stage(&request("/items/42")), "/prod");
        assert_eq!(sent_stage(&request("/prod/prod")), "/prod");
        let custom_domain = REST.replace("/prod/items/42", "/items/42");
        assert_eq!(sent_stage(&lambda_http::request::from_str(&custom_domain).expect("an event")), "");
        assert_eq!(sent_stage(&Request::get("/prod/items/42").body(()).expect("a request")), "");
    }

    #[test]
    fn redacted_path_keeps_the_base_path_that_was_sent() {
        let sent = |path: &str, route: &str| {
            let mut event: serde_json::Value = serde_json::from_str(REST).expect("JSON");
            event["path"] = path.into();
            event["requestContext"]["path"] = path.into();
            sent_prefix(route, &lambda_http::request::from_str(&event.to_string()).expect("an event"))
        };
        assert_eq!(sent("/v1/items/42", "/items/{id}"), "/v1");
        assert_eq!(sent("/orders/v1/items/42", "/items/{id}"), "/orders/v1");
        assert_eq!(sent("/v1/prod/items/@42", "/items/@{id}"), "/v1/prod");
        assert_eq!(sent("/items/42/items/43", "/items/{id}/items/{other}"), "");
        assert_eq!(sent("/42", "/{id}"), "");
        assert_eq!(sent("/other/42", "/items/{id}"), "");
        assert_eq!(base_path("/items/{id}", &Request::get("/v1/items/42").body(()).expect("a request")), "");
    }

    #[test]
    fn path_that_begins_like_the_stage_is_kept() {
        let request = request("/prod/42");
        assert_eq!(request.uri().path(), "/prod/42");
        assert_eq!(without_stage("/prod/{id}", &request), "/prod/{id}");
    }
}
