use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parameters::reference;
use crate::api::auth::BadToken;
use crate::api::body::MAX_BYTES;
use crate::api::cursor::BadCursor;
use crate::api::error::ApiError;
use crate::api::path::{NO_SUCH_ACTIVITY, NO_SUCH_USER};
use crate::api::problem::{Problem, elements};
use crate::domain::{Code, Invalid};
use crate::store::{StoreError, keys};

const TRACE: &str = "6b032d7b57cdb8ce2e470ad53d3de99e";

/// Returns an example of each kind of error that clients can get.
fn samples() -> [ApiError; 17] {
    [
        ApiError::BadRequest("`limit` must be an integer from 1 to 100.".to_owned()),
        ApiError::BadCursor(BadCursor::Malformed),
        ApiError::Unauthenticated,
        ApiError::BadToken(BadToken::Expired),
        ApiError::NoProfile,
        ApiError::Forbidden("Only the author can delete this."),
        NO_SUCH_ACTIVITY,
        NO_SUCH_USER,
        ApiError::Store(StoreError::Conflict { on: keys::ACTIVITY }),
        ApiError::BodyTooLarge { max_bytes: MAX_BYTES },
        ApiError::UnsupportedMediaType,
        ApiError::UnsupportedContentEncoding,
        ApiError::Panic,
        ApiError::Store(StoreError::Corrupt { entity: keys::ACTIVITY, attribute: "message" }),
        ApiError::NoKeySet,
        ApiError::Unhealthy(None),
        ApiError::OutOfTime,
    ]
}

/// Returns the name of the response component of a status.
pub(super) fn name(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "ContentTooLarge",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UnsupportedMediaType",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        _ => "InternalServerError",
    }
}

/// Returns the response components of all statuses, with an example of each error.
pub(super) fn responses(schemas: &mut SchemaGenerator) -> Value {
    let mut statuses: BTreeMap<StatusCode, (Map<String, Value>, Value)> = BTreeMap::new();
    for error in samples() {
        let (status, code) = error.status();
        let (examples, _) = statuses.entry(status).or_insert_with(|| (Map::new(), json!(elements(&error))));
        examples.entry(code).or_insert_with(|| example(&error));
    }
    let schema = schemas.subschema_for::<Problem<'static>>();
    let responses = statuses.into_iter().map(|(status, (examples, elements))| {
        let content = json!({
            "application/json": {
                "schema": {
                    "description": "For requests with `Origin` that do not accept `application/problem+json`.",
                    "type": "array",
                    "items": { "type": "string" },
                    "minItems": 1,
                },
                "example": elements,
            },
            "application/problem+json": { "schema": schema, "examples": examples },
        });
        (name(status).to_owned(), response(status, content))
    });
    Value::Object(responses.collect())
}

/// Returns the 422 response of a route: broken rules and, with `has_key`, a reused idempotency key.
pub(super) fn unprocessable(codes: &[Code], has_key: bool, schemas: &mut SchemaGenerator) -> Value {
    let texts: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let array = json!({ "type": "array", "items": { "type": "string", "enum": texts }, "minItems": 1 });
    let mut examples = Map::new();
    if let Some(&code) = codes.first() {
        examples.insert("invalid".to_owned(), example(&Invalid::new(code).into()));
    }
    if has_key {
        examples.insert("idempotency_key_reused".to_owned(), example(&StoreError::KeyReused.into()));
    }
    let problem = json!({ "schema": schemas.subschema_for::<Problem<'static>>(), "examples": examples });
    let content = json!({
        "application/json": { "schema": array, "example": [texts.first()] },
        "application/problem+json": problem,
    });
    response(StatusCode::UNPROCESSABLE_ENTITY, content)
}

fn example(error: &ApiError) -> Value {
    json!({ "value": Problem::new(error, Some(TRACE)) })
}

fn response(status: StatusCode, content: Value) -> Value {
    let mut headers = Map::new();
    let mut add = |name: &str, component| headers.insert(name.to_owned(), reference("headers", component));
    add("x-trace-id", "TraceId");
    add("cache-control", "CacheControl");
    if status == StatusCode::UNAUTHORIZED {
        add("www-authenticate", "WwwAuthenticate");
        add("x-amzn-remapped-www-authenticate", "RemappedWwwAuthenticate");
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        add("retry-after", "RetryAfter");
    }
    json!({ "description": status.canonical_reason(), "headers": headers, "content": content })
}
