//! The API's description (OpenAPI 3.1): of the routes that the router is made of, and of the bodies' own types.

mod errors;
mod operation;
mod operations;
mod parameters;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::router::ROUTES;
use operation::{Generators, operation};
use operations::OPERATIONS;

/// What [`openapi`] returned when it was last looked at; a test compares them.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// The description, as it is kept: no request waits for it to be made, and nothing that makes it is in the binary.
pub(super) async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}

/// The description, made anew. A route that nothing is said of is left out.
#[must_use]
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = Generators {
        asked: settings.clone().for_deserialize().into_generator(),
        answered: settings.for_serialize().into_generator(),
    };
    let mut paths = Map::new();
    for route in &ROUTES {
        if let Some(row) = OPERATIONS.iter().find(|row| (row.method, row.path) == (route.method, route.path)) {
            let methods = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut();
            let described = operation(row, route.access, &mut schemas);
            methods.map(|methods| methods.insert(route.method.to_ascii_lowercase(), described));
        }
    }
    let responses = errors::responses(&mut schemas.answered);
    let mut definitions = schemas.asked.take_definitions(true);
    definitions.append(&mut schemas.answered.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cruddur",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A micro-blog whose posts expire.",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [
            { "url": "http://127.0.0.1:3000", "description": "`cargo run`" },
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com/prod",
                "description": "A deployed stack: its output `ApiUrl`",
                "variables": { "api": { "default": "api" }, "region": { "default": "us-east-1" } },
            },
        ],
        "tags": operations::TAGS.map(|(name, about)| json!({ "name": name, "description": about })),
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": responses,
            "parameters": parameters::all(),
            "headers": parameters::headers(),
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token of the user pool. `POST /local/sign-in` of `cargo run` gives one.",
                },
            },
        },
    })
}

const ABOUT: &str = "A failed validation is a 422 with the array of all the broken rules; with `Accept: \
application/problem+json` it is a problem of RFC 9457, as all other failures are. Times are RFC 3339 in UTC with \
milliseconds, ids are UUIDs of version 7. Every GET answers HEAD too. Fields may be added to answers; a field that is \
not known is refused in requests.";
