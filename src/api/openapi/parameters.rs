use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::api::idempotency::MAX_BYTES;
use crate::api::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::api::schema::{HandleText, IdText, WORDS};
use crate::domain::{Handle, SearchTerm};

pub(super) fn reference(of: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{of}/{name}") })
}

/// The component that stands for a variable of a path.
pub(super) fn name_in_path(variable: &str) -> &'static str {
    match variable {
        "handle" => "Handle",
        "message_group_uuid" => "Conversation",
        _ => "ActivityUuid",
    }
}

/// The name that a header's component has on the wire.
pub(super) fn header(component: &str) -> &'static str {
    match component {
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
            "anyOf": [{ "format": "uuid" }, { "pattern": format!("^@[a-z0-9_]{{1,{}}}$", Handle::MAX) }],
            "examples": ["@worf"],
        },
    });
    json!({
        "ActivityUuid": in_path("activity_uuid", "The id of a post or of a reply.", schema_of::<IdText>()),
        "Handle": in_path("handle", "The user's handle; the `@` before it may be written `%40`.", schema_of::<HandleText>()),
        "Conversation": conversation,
        "Limit": {
            "name": "limit",
            "in": "query",
            "description": "How many rows the page has at most.",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT },
        },
        "LimitOfReplies": {
            "name": "limit",
            "in": "query",
            "description": "How many replies the page has at most.",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT },
        },
        "Cursor": {
            "name": "cursor",
            "in": "query",
            "description": "Where the page begins: taken as it is from the `Link` header of the page before. It is good \
                            for 24 hours, for the same route and the same user.",
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9_-]{76}$" },
        },
        "Term": {
            "name": "term",
            "in": "query",
            "required": true,
            "description": "The words that a post must have; the last may be the beginning of one.",
            "schema": { "type": "string", "minLength": 1, "maxLength": SearchTerm::MAX, "pattern": WORDS, "examples": ["fun"] },
        },
        "Deep": {
            "name": "deep",
            "in": "query",
            "description": "There, whatever its value: the database is asked too.",
            "allowEmptyValue": true,
            "schema": { "type": "string" },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "What is sent again with the same key within 24 hours happens once, and is answered alike.",
            "schema": { "type": "string", "minLength": 1, "maxLength": MAX_BYTES, "pattern": "^[!-~]+$" },
        },
    })
}

pub(super) fn headers() -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    json!({
        "TraceId": {
            "description": "The request's trace.",
            "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        },
        "IdempotentReplayed": {
            "description": "There where the write happened at an earlier request.",
            "schema": { "type": "string", "enum": ["true"] },
        },
        "Link": text("`<?cursor=…>; rel=\"next\"` where the list goes on: a query for the same path."),
        "UnreadCount": {
            "description": "How many notifications are unread, at most 100 of them counted.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0, "maximum": 100 },
        },
        "RetryAfter": { "description": "Seconds.", "required": true, "schema": { "type": "integer" } },
        "WwwAuthenticate": {
            "description": "`Bearer`, and whether a token was there.",
            "required": true,
            "schema": { "type": "string" },
        },
    })
}

fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.meta_schema = None)
        .into_generator()
        .into_root_schema_for::<T>()
}
