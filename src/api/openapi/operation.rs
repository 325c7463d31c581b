use axum::http::StatusCode;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::errors;
use super::parameters::{self, reference};
use crate::api::route::{Access, Operation, Route};

/// One schema generator for each direction, because an optional field of a request is always present in a response.
pub(super) struct Generators {
    pub(super) requests: SchemaGenerator,
    pub(super) responses: SchemaGenerator,
}

/// Returns the operation object of a route.
pub(super) fn operation(route: &Route, schemas: &mut Generators) -> Value {
    let operation = &route.operation;
    let schema = operation.response.as_ref().map(|body| (body.generate)(&mut schemas.responses));
    let mut responses = Map::new();
    responses.insert("200".to_owned(), success(operation, schema));
    for status in failures(route) {
        responses.insert(status.as_str().to_owned(), reference("responses", errors::name(status)));
    }
    if !operation.codes.is_empty() {
        let has_key = operation.request.is_some();
        responses.insert("422".to_owned(), errors::unprocessable(operation.codes, has_key, &mut schemas.responses));
    }
    let in_path = route.path.split('{').skip(1).filter_map(|part| part.split('}').next()).map(parameters::name_in_path);
    let parameters: Vec<_> =
        in_path.chain(operation.parameters.iter().copied()).map(|name| reference("parameters", name)).collect();
    let body = operation.request.as_ref().map(|body| {
        let content = json!({ "application/json": { "schema": (body.generate)(&mut schemas.requests) } });
        ("requestBody", json!({ "required": true, "content": content }))
    });
    let fields = [
        ("operationId", json!(operation.id)),
        ("tags", json!([operation.tag])),
        ("summary", json!(operation.summary)),
        ("parameters", json!(parameters)),
        ("responses", json!(responses)),
        ("security", security(route.access)),
    ];
    fields.into_iter().chain(body).collect()
}

/// Returns the error statuses of a route, except 422.
fn failures(route: &Route) -> Vec<StatusCode> {
    let operation = &route.operation;
    let mut statuses = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
    statuses.extend_from_slice(operation.failures);
    // Routes with optional sign-in reject a user's cursor without a valid token.
    if route.access != Access::Public {
        statuses.push(StatusCode::UNAUTHORIZED);
    }
    if operation.request.is_some() {
        statuses.extend([StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
    if route.path.contains('{') || operation.parameters.iter().any(|&name| name != "Deep") {
        statuses.push(StatusCode::BAD_REQUEST);
    }
    statuses.sort_unstable();
    statuses
}

fn success(operation: &Operation, schema: Option<Schema>) -> Value {
    let headers = ["TraceId", "CacheControl"]
        .iter()
        .chain(operation.headers)
        .map(|name| (parameters::header(name).to_owned(), reference("headers", name)));
    let links = operation.link.iter().flat_map(|link| {
        let parameters = json!({ link.parameter: format!("$response.body#{}", link.pointer) });
        link.operations.iter().map(move |&id| (id.to_owned(), json!({ "operationId": id, "parameters": parameters })))
    });
    let links: Map<_, _> = links.collect();
    let fields = [
        ("description", json!("Success.")),
        ("headers", headers.collect()),
        ("content", json!({ "application/json": { "schema": schema.unwrap_or_default() } })),
    ];
    fields.into_iter().chain((!links.is_empty()).then_some(("links", Value::Object(links)))).collect()
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Optional => json!([{}, { "accessToken": [] }]),
        Access::SignedIn => json!([{ "accessToken": [] }]),
    }
}
