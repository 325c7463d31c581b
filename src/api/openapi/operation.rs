use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::errors;
use super::parameters::{self, reference};
use crate::api::router::Access;
use crate::domain::Code;

/// What is said of a route besides its method, its path and who may call it.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    asks: Option<SchemaOf>,
    answers: Option<SchemaOf>,
    /// The rules that input may break.
    codes: &'static [Code],
    /// Failures besides those that follow from the rest.
    fails: &'static [StatusCode],
    parameters: &'static [&'static str],
    headers: &'static [&'static str],
    /// What can be asked next with the id of the answer, and the parameter that takes it.
    links: &'static [&'static str],
    link: [&'static str; 2],
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One for each direction: what may be missing in a request is always there in an answer.
pub(super) struct Generators {
    pub(super) asked: SchemaGenerator,
    pub(super) answered: SchemaGenerator,
}

impl Operation {
    pub(super) const fn new(method: &'static str, path: &'static str, id: &'static str, tag: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            tag,
            summary: "",
            asks: None,
            answers: None,
            codes: &[],
            fails: &[],
            parameters: &[],
            headers: &[],
            links: &[],
            link: ["", ""],
        }
    }

    pub(super) const fn about(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    pub(super) const fn answers<T: JsonSchema>(self) -> Self {
        Self { answers: Some(|schemas| schemas.subschema_for::<T>()), ..self }
    }

    /// One of two forms, for clients of different weeks.
    pub(super) const fn answers_either<A: JsonSchema, B: JsonSchema>(self) -> Self {
        let either: SchemaOf = |schemas| {
            let forms = [schemas.subschema_for::<A>(), schemas.subschema_for::<B>()];
            schemars::json_schema!({ "anyOf": forms })
        };
        Self { answers: Some(either), ..self }
    }

    /// A JSON body, sent at most once in effect where an `Idempotency-Key` says so.
    pub(super) const fn asks<T: JsonSchema>(self, codes: &'static [Code]) -> Self {
        Self {
            asks: Some(|schemas| schemas.subschema_for::<T>()),
            codes,
            parameters: &["IdempotencyKey"],
            headers: &["IdempotentReplayed"],
            ..self
        }
    }

    pub(super) const fn lists(self) -> Self {
        Self { parameters: &["Limit", "Cursor"], headers: &["Link"], ..self }
    }

    pub(super) const fn takes(self, parameters: &'static [&'static str], codes: &'static [Code]) -> Self {
        Self { parameters, codes, ..self }
    }

    pub(super) const fn tells(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn fails(self, fails: &'static [StatusCode]) -> Self {
        Self { fails, ..self }
    }

    /// The id at `pointer` of the answer is the `parameter` of these operations.
    pub(super) const fn leads(
        self,
        pointer: &'static str,
        parameter: &'static str,
        to: &'static [&'static str],
    ) -> Self {
        Self { link: [pointer, parameter], links: to, ..self }
    }

    /// Every status that the route may answer, but 200 and 422.
    fn failures(&self, access: Access) -> Vec<StatusCode> {
        let mut statuses = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
        statuses.extend_from_slice(self.fails);
        if access == Access::SignedIn {
            statuses.push(StatusCode::UNAUTHORIZED);
        }
        if self.asks.is_some() {
            statuses.extend([StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
        }
        if self.path.contains('{') || self.parameters.iter().any(|&name| name != "Deep") {
            statuses.push(StatusCode::BAD_REQUEST);
        }
        statuses.sort_unstable();
        statuses
    }
}

pub(super) fn operation(row: &Operation, access: Access, schemas: &mut Generators) -> Value {
    let schema = row.answers.map(|schema| schema(&mut schemas.answered));
    let mut responses = Map::new();
    responses.insert("200".to_owned(), success(row, schema));
    for status in row.failures(access) {
        responses.insert(status.as_str().to_owned(), reference("responses", errors::name(status)));
    }
    if !row.codes.is_empty() {
        let keyed = row.asks.is_some();
        responses.insert("422".to_owned(), errors::unprocessable(row.codes, keyed, &mut schemas.answered));
    }
    let in_path = row.path.split('{').skip(1).filter_map(|part| part.split('}').next()).map(parameters::name_in_path);
    let parameters: Vec<_> =
        in_path.chain(row.parameters.iter().copied()).map(|name| reference("parameters", name)).collect();
    let body = row.asks.map(|asks| {
        let content = json!({ "application/json": { "schema": asks(&mut schemas.asked) } });
        ("requestBody", json!({ "required": true, "content": content }))
    });
    let fields = [
        ("operationId", json!(row.id)),
        ("tags", json!([row.tag])),
        ("summary", json!(row.summary)),
        ("parameters", json!(parameters)),
        ("responses", json!(responses)),
        ("security", security(access)),
    ];
    fields.into_iter().chain(body).collect()
}

fn success(row: &Operation, schema: Option<Schema>) -> Value {
    let headers = ["TraceId"]
        .iter()
        .chain(row.headers)
        .map(|name| (parameters::header(name).to_owned(), reference("headers", name)));
    let [pointer, parameter] = row.link;
    let links = row.links.iter().map(|&id| {
        let parameters = json!({ parameter: format!("$response.body#{pointer}") });
        (id.to_owned(), json!({ "operationId": id, "parameters": parameters }))
    });
    let links: Map<_, _> = links.collect();
    let fields = [
        ("description", json!("Done.")),
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
