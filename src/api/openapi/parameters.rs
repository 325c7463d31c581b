use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::api::fields::{HandleText, IdText};
use crate::api::idempotency::MAX_BYTES;
use crate::api::pagination::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::api::schema::WORDS;
use crate::domain::{Handle, SearchTerm};

pub(super) fn reference(of: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{of}/{name}") })
}

/// Returns the name of the component of a path parameter.
pub(super) fn name_in_path(parameter: &str) -> &'static str {
    match parameter {
        "handle" => "Handle",
        "message_group_uuid" => "Conversation",
        _ => "ActivityUuid",
    }
}

/// Returns the header's name for the name of its component.
pub(super) fn header(component: &str) -> &'static str {
    match component {
        "CacheControl" => "Cache-Control",
        "IdempotentReplayed" => "Idempotent-Replayed",
        "Link" => "Link",
        "UnreadCount" => "x-unread-count",
        _ => "x-trace-id",
    }
}

pub(super) fn all() -> Value {
    let in_path = |name: &str, about: &str, schema: Schema| json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema });
    let conversation = json!({
        "name": "message_group_uuid",
        "in": "path",
        "required": true,
        "description": "The conversation's id, or `@` and the handle of the other user.",
        "schema": {
            "type": "string",
            "anyOf": [{ "format": "uuid" }, { "pattern": format!("^@[A-Za-z0-9_]{{1,{}}}$", Handle::MAX) }],
            "examples": ["@worf"],
        },
    });
    json!({
        "ActivityUuid": in_path("activity_uuid", "The id of a post or reply.", schema_of::<IdText>()),
        "Handle": in_path("handle", "The user's handle. The preceding `@` may be encoded as `%40`.", schema_of::<HandleText>()),
        "Conversation": conversation,
        "Limit": {
            "name": "limit",
            "in": "query",
            "description": "The maximum number of items on the page.",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT },
        },
        "LimitOfReplies": {
            "name": "limit",
            "in": "query",
            "description": "The maximum number of replies on the page.",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT },
        },
        "Cursor": {
            "name": "cursor",
            "in": "query",
            "description": "The start of the page, copied unchanged from the `Link` header of the previous page. It is \
                            valid for 24 hours, for the same route and user.",
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9_-]{76}$" },
        },
        "Term": {
            "name": "term",
            "in": "query",
            "required": true,
            "description": "The words and emoji that a post must contain, in any order. The last word also finds words that \
                            begin with it if it has at least three characters; a shorter one must be the whole word. In \
                            Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese, every sequence of characters is found, \
                            also within a word. Case, width, skin tones and most diacritics make no difference; an \
                            apostrophe separates words.",
            "schema": { "type": "string", "minLength": 1, "maxLength": SearchTerm::MAX, "pattern": WORDS, "examples": ["fun"] },
        },
        "Deep": {
            "name": "deep",
            "in": "query",
            "description": "If present, with any value, the request also checks the database.",
            "allowEmptyValue": true,
            "schema": { "type": "string" },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Requests with the same key within 24 hours have one effect and get the same response.",
            "schema": { "type": "string", "minLength": 1, "maxLength": MAX_BYTES, "pattern": "^[!-~]+$" },
        },
    })
}

pub(super) fn headers() -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    json!({
        "TraceId": {
            "description": "The trace id of the request. API Gateway's own errors have it in their body instead, as \
                            `xray_trace_id`.",
            "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        },
        "CacheControl": {
            "description": "`public` with a short `max-age` if the request has no `Authorization` and all such requests get \
                            the same response, otherwise `no-store`.",
            "required": true,
            "schema": { "type": "string", "enum": ["no-store", "public, max-age=1", "public, max-age=300"] },
        },
        "IdempotentReplayed": {
            "description": "Present if an earlier request already did the write.",
            "schema": { "type": "string", "enum": ["true"] },
        },
        "Link": text("`<?cursor=…>; rel=\"next\"` if there is a next page: a query string for the same path."),
        "UnreadCount": {
            "description": "The number of unread notifications, at most 100.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0, "maximum": 100 },
        },
        "RetryAfter": { "description": "The delay before a retry, in seconds.", "required": true, "schema": { "type": "integer" } },
        "WwwAuthenticate": {
            "description": "`Bearer`, with `error=\"invalid_token\"` if the request has a token. API Gateway renames this \
                            header of a function's response to `x-amzn-Remapped-WWW-Authenticate`, so read the members \
                            `scheme`, `error` and `reason` of the problem instead.",
            "schema": { "type": "string" },
        },
        "RemappedWwwAuthenticate": text("The header `WWW-Authenticate` of a response that passed through API Gateway."),
    })
}

fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.meta_schema = None)
        .into_generator()
        .into_root_schema_for::<T>()
}
