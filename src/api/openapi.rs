//! Generates the API's description (OpenAPI 3.1) from the routes and the types of their bodies.

mod errors;
mod operation;
mod parameters;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::{ROUTES, TAGS};
use operation::{Generators, operation};

/// Generates the description.
#[must_use]
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = Generators {
        requests: settings.clone().for_deserialize().into_generator(),
        responses: settings.for_serialize().into_generator(),
    };
    let mut paths = Map::new();
    for route in &ROUTES {
        let methods = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut();
        let operation = operation(route, &mut schemas);
        methods.map(|methods| methods.insert(route.method.to_ascii_lowercase(), operation));
    }
    let responses = errors::responses(&mut schemas.responses);
    let mut definitions = schemas.requests.take_definitions(true);
    definitions.append(&mut schemas.responses.take_definitions(true));
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
                "description": "A deployed stack (output `ApiUrl`)",
                "variables": { "api": { "default": "api" }, "region": { "default": "us-east-1" } },
            },
        ],
        "tags": TAGS.map(|(name, about)| json!({ "name": name, "description": about })),
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
                    "description": "An access token of the user pool. On the local server, `POST /local/sign-in` returns one.",
                },
            },
        },
    })
}

const ABOUT: &str = "A request that breaks validation rules gets 422 with a JSON array of the rules' codes; with `Accept: \
application/problem+json`, it gets a problem (RFC 9457), like every other failure. Web pages (requests with `Origin`) get every failure as an array \
unless they accept a problem. Handles are case-insensitive. In texts, a tab counts as a space, and a line end as a line \
feed; a text without a visible character is blank, and one that overrides the writing direction is rejected. Times are RFC 3339 in UTC with \
milliseconds; ids are UUIDs of version 7. Every GET route also serves HEAD. Responses may gain fields in later versions; \
requests with unknown fields are rejected.";
