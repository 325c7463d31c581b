//! The `aws` block: of a call the service's side, of an invocation the function's.

use std::slice;

use opentelemetry::{Array, StringValue, Value};

use super::attributes::{MAX_TEXT, SpanAttributes};
use super::json::Members;
use super::role::{Form, Role};

/// The tables of one call: a transaction has a hundred items at most.
const MAX_TABLES: usize = 100;
const TABLES: &str = "aws.dynamodb.table_names";
const METHOD: &str = "rpc.method";

pub(super) fn is_call(attributes: &SpanAttributes<'_>) -> bool {
    attributes.first_text(&["rpc.system.name", "rpc.system"]).is_some_and(|(_, system)| system == "aws-api")
}

/// `DynamoDB` of the method `DynamoDB/Query`, or what older conventions say by itself.
pub(super) fn service<'a>(attributes: &SpanAttributes<'a>) -> Option<&'a str> {
    let of_method = || attributes.text(METHOD)?.rsplit_once('/').map(|(service, _)| service);
    attributes.text("rpc.service").or_else(of_method).or_else(|| attributes.text("aws.service"))
}

pub(super) fn write(role: Role, form: Form, attributes: &mut SpanAttributes<'_>, document: &mut Members<'_>) {
    document.object("aws", |aws| {
        put(attributes, aws, "account_id", &["cloud.account.id"]);
        match role {
            Role::Segment | Role::Invocation => write_invocation(attributes, aws),
            Role::Aws => write_call(attributes, aws),
            Role::Sql | Role::Remote | Role::Local => {}
        }
        // Of the whole document.
        if form != Form::Inside {
            aws.object("xray", |xray| xray.word("sdk", "opentelemetry for rust"));
        }
    });
}

/// The function and the request, which X-Ray does not search for: the attributes stay, with their own names.
fn write_invocation(attributes: &SpanAttributes<'_>, aws: &mut Members<'_>) {
    if let Some((_, arn)) = attributes.first_text(&["aws.lambda.invoked_arn", "cloud.resource_id"]) {
        aws.text("function_arn", arn, MAX_TEXT);
    }
    if let Some(id) = attributes.text("faas.invocation_id") {
        aws.text("request_id", id, MAX_TEXT);
    }
}

fn write_call(attributes: &mut SpanAttributes<'_>, aws: &mut Members<'_>) {
    for key in ["rpc.system", "rpc.system.name", "rpc.service"] {
        attributes.mark_written(key);
    }
    if let Some(method) = attributes.text(METHOD) {
        let operation = method.rsplit_once('/').map_or(method, |(_, operation)| operation);
        if aws.text("operation", operation, MAX_TEXT) {
            attributes.mark_written(METHOD);
        }
    }
    put(attributes, aws, "region", &["cloud.region", "aws.region"]);
    put(attributes, aws, "request_id", &["aws.request_id"]);
    put(attributes, aws, "queue_url", &["aws.sqs.queue.url", "aws.queue.url", "aws.queue_url"]);
    match attributes.get(TABLES).and_then(tables) {
        Some(tables) => {
            attributes.mark_written(TABLES);
            if let Some(first) = tables.first() {
                aws.text("table_name", first.as_str(), MAX_TEXT);
                aws.texts("table_names", tables);
            }
        }
        None => put(attributes, aws, "table_name", &["aws.table.name", "aws.table_name"]),
    }
    if let Some(attempts @ 2..) = attributes.integer("aws.sdk.attempts") {
        attributes.mark_written("aws.sdk.attempts");
        aws.number("retries", attempts - 1);
    }
}

fn put(attributes: &mut SpanAttributes<'_>, block: &mut Members<'_>, place: &str, keys: &[&'static str]) {
    attributes.write_first(block, place, keys, MAX_TEXT);
}

/// The names of the tables, also where the attribute is one name: a field of `tracing` cannot be a list.
fn tables(value: &Value) -> Option<&[StringValue]> {
    let names = if let Value::String(name) = value {
        slice::from_ref(name)
    } else {
        let Value::Array(Array::String(names)) = value else { return None };
        names
    };
    let fits = names.len() <= MAX_TABLES && names.iter().all(|name| name.as_str().len() <= MAX_TEXT);
    fits.then_some(names)
}
