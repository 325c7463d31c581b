use axum::http::StatusCode;
use axum::routing::{MethodFilter, MethodRouter};
#[cfg(feature = "openapi")]
use schemars::{JsonSchema as Described, Schema, SchemaGenerator};

use super::AppState;
use super::cache::MaxAge;
use crate::domain::Code;

/// A method of a path: who may call it, its handler and its description.
pub struct Route {
    /// The method in upper case. A GET route also serves HEAD.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may call the route.
    pub access: Access,
    /// How long caches may reuse the route's responses to anonymous users. If unset, they may not.
    pub(super) max_age: Option<MaxAge>,
    filter: MethodFilter,
    handler: Handler,
    #[cfg_attr(not(feature = "openapi"), expect(dead_code, reason = "read only to generate the description"))]
    pub(super) operation: Operation,
}

type Handler = fn(MethodFilter) -> MethodRouter<AppState>;

/// Who may call a route. Handlers check permissions on single items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone. Requests are not authenticated.
    Public,
    /// Everyone. Authenticated users see more.
    Optional,
    /// Authenticated users.
    SignedIn,
}

/// The OpenAPI operation of a route. The rest of it follows from the route's method, path and access.
#[cfg_attr(not(feature = "openapi"), expect(dead_code, reason = "read only to generate the description"))]
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) request: Option<BodySchema>,
    pub(super) response: Option<BodySchema>,
    /// The codes of the rules that a request can break.
    pub(super) codes: &'static [Code],
    /// Error statuses of this route, in addition to those that every such route has.
    pub(super) failures: &'static [StatusCode],
    pub(super) parameters: &'static [&'static str],
    pub(super) headers: &'static [&'static str],
    pub(super) link: Option<Link>,
}

/// Operations that can follow, with an id of the response as a parameter.
#[cfg_attr(not(feature = "openapi"), expect(dead_code, reason = "read only to generate the description"))]
pub(super) struct Link {
    /// The JSON pointer to the id in the response.
    pub(super) pointer: &'static str,
    pub(super) parameter: &'static str,
    pub(super) operations: &'static [&'static str],
}

/// The JSON Schema of a body.
pub(super) struct BodySchema {
    #[cfg(feature = "openapi")]
    pub(super) generate: fn(&mut SchemaGenerator) -> Schema,
}

/// A body that has a JSON Schema. Without the feature `openapi`, every type counts as one.
#[cfg(not(feature = "openapi"))]
pub(super) trait Described {}

#[cfg(not(feature = "openapi"))]
impl<T> Described for T {}

impl BodySchema {
    const fn of<T: Described>() -> Self {
        Self {
            #[cfg(feature = "openapi")]
            generate: |schemas| schemas.subschema_for::<T>(),
        }
    }
}

impl Route {
    pub(super) const fn get(path: &'static str, access: Access, handler: Handler, operation: Operation) -> Self {
        Self { method: "GET", path, access, max_age: None, filter: MethodFilter::GET, handler, operation }
    }

    pub(super) const fn post(path: &'static str, access: Access, handler: Handler, operation: Operation) -> Self {
        Self { method: "POST", path, access, max_age: None, filter: MethodFilter::POST, handler, operation }
    }

    pub(super) const fn put(path: &'static str, access: Access, handler: Handler, operation: Operation) -> Self {
        Self { method: "PUT", path, access, max_age: None, filter: MethodFilter::PUT, handler, operation }
    }

    pub(super) const fn delete(path: &'static str, access: Access, handler: Handler, operation: Operation) -> Self {
        Self { method: "DELETE", path, access, max_age: None, filter: MethodFilter::DELETE, handler, operation }
    }

    /// Lets caches reuse the route's responses to anonymous users.
    pub(super) const fn public_for(self, seconds: u16) -> Self {
        Self { max_age: Some(MaxAge(seconds)), ..self }
    }

    pub(super) fn handler(&self) -> MethodRouter<AppState> {
        (self.handler)(self.filter)
    }
}

impl Operation {
    pub(super) const fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            request: None,
            response: None,
            codes: &[],
            failures: &[],
            parameters: &[],
            headers: &[],
            link: None,
        }
    }

    /// Accepts a JSON body and an `Idempotency-Key`.
    pub(super) const fn accepts<T: Described>(self, codes: &'static [Code]) -> Self {
        let (parameters, headers) = (&["IdempotencyKey"], &["IdempotentReplayed"]);
        Self { request: Some(BodySchema::of::<T>()), codes, parameters, headers, ..self }
    }

    /// Accepts a JSON body without an `Idempotency-Key`.
    pub(super) const fn reads<T: Described>(self) -> Self {
        Self { request: Some(BodySchema::of::<T>()), ..self }
    }

    pub(super) const fn returns<T: Described>(self) -> Self {
        Self { response: Some(BodySchema::of::<T>()), ..self }
    }

    /// Returns a list in pages.
    pub(super) const fn paginated(self) -> Self {
        Self { parameters: &["Limit", "Cursor"], headers: &["Link"], ..self }
    }

    pub(super) const fn query(self, parameters: &'static [&'static str], codes: &'static [Code]) -> Self {
        Self { parameters, codes, ..self }
    }

    pub(super) const fn headers(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn fails(self, failures: &'static [StatusCode]) -> Self {
        Self { failures, ..self }
    }

    pub(super) const fn leads_to(
        self,
        operations: &'static [&'static str],
        parameter: &'static str,
        pointer: &'static str,
    ) -> Self {
        Self { link: Some(Link { pointer, parameter, operations }), ..self }
    }
}
