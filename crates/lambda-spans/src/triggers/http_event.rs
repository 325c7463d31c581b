//! Requests of API Gateway, function URLs, load balancers and VPC Lattice. Clients wait for their responses, so the event
//! is scanned and not parsed.

use super::event::{WebSocketFields, text};
use super::json_scan::each_member;
use super::trigger::Trigger;
use crate::attributes::AWS_API_GATEWAY_ROUTE_KEY;

/// The members of an event that a request may have. A member that is null counts as absent.
#[derive(Default)]
pub(super) struct Request<'a> {
    context: Option<&'a [u8]>,
    http_method: bool,
    /// The method of a request of VPC Lattice.
    method: bool,
    path: bool,
    /// The path of a request in version 2.0 of API Gateway's payload, or in version 1.0 of VPC Lattice's.
    raw_path: bool,
    headers: bool,
    /// A member of an authorizer's event.
    is_authorizer: bool,
}

/// The members of `requestContext`.
#[derive(Default)]
struct RequestContext {
    connection_id: bool,
    event_or_route: bool,
    /// A REST API or a load balancer.
    rest_or_balancer: bool,
    /// An HTTP API or a function URL.
    http: bool,
    /// VPC Lattice in version 2.0. Version 1.0 has no `requestContext`.
    lattice: bool,
}

impl<'a> Request<'a> {
    /// Reads an event until a member that `stops_at` accepts. Malformed JSON has no members.
    pub(super) fn of(event: &'a [u8], mut stops_at: impl FnMut(&[u8]) -> bool) -> Self {
        let mut request = Self::default();
        let scanned = each_member(event, |name, value| {
            let is_set = value != b"null";
            match name {
                b"requestContext" => request.context = is_set.then_some(value),
                b"httpMethod" => request.http_method = is_set,
                b"method" => request.method = is_set,
                b"path" => request.path = is_set,
                b"rawPath" | b"raw_path" => request.raw_path = is_set,
                b"headers" => request.headers = is_set,
                b"methodArn" | b"routeArn" => request.is_authorizer |= is_set,
                _ => return !stops_at(name),
            }
            true
        });
        scanned.map(|()| request).unwrap_or_default()
    }

    /// Returns the trigger of an event that requires an HTTP response. Authorizers and records of failed invocations have
    /// a `requestContext` too, but no response to a client.
    pub(super) fn trigger(&self) -> Option<Trigger> {
        if self.is_authorizer {
            return None;
        }
        let context = RequestContext::of(self.context.unwrap_or_default());
        if context.connection_id && context.event_or_route {
            return Some(self.web_socket());
        }
        let is_request = self.http_method && self.path && context.rest_or_balancer
            || self.raw_path && context.http
            || self.method && self.path && context.lattice
            || self.method && self.raw_path && self.headers && self.context.is_none();
        is_request.then(|| Trigger::faas("http"))
    }

    /// Names the span of a WebSocket API's event after its route.
    fn web_socket(&self) -> Trigger {
        let mut trigger = Trigger::faas("http");
        if let Some(route) = self.web_socket_route() {
            trigger.set(AWS_API_GATEWAY_ROUTE_KEY, route.clone());
            trigger.name = Some(route);
        }
        trigger
    }

    fn web_socket_route(&self) -> Option<String> {
        let context: WebSocketFields<'_> = serde_json::from_slice(self.context?).ok()?;
        text(context.route_key)
    }
}

impl RequestContext {
    /// Reads a member `requestContext`. Another type than an object has no members.
    fn of(context: &[u8]) -> Self {
        let mut members = Self::default();
        let scanned = each_member(context, |name, _| {
            match name {
                b"connectionId" => members.connection_id = true,
                b"eventType" | b"routeKey" => members.event_or_route = true,
                b"apiId" | b"resourceId" | b"resourcePath" | b"elb" => members.rest_or_balancer = true,
                b"http" => members.http = true,
                b"serviceNetworkArn" | b"serviceArn" | b"targetGroupArn" => members.lattice = true,
                _ => {}
            }
            true
        });
        scanned.map(|()| members).unwrap_or_default()
    }
}
