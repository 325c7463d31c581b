//! The `aws` block: the called service for a client span, the function for an invocation.

use std::slice;

use opentelemetry::{Array, StringValue, Value};

use super::json::Members;
use super::role::{Form, Role};
use super::span_attributes::{MAX_TEXT, SpanAttributes};
use crate::attributes::{
    AWS_DYNAMODB_TABLE_NAMES, AWS_LAMBDA_INVOKED_ARN, AWS_REQUEST_ID, AWS_SDK_ATTEMPTS, AWS_SQS_QUEUE_URL,
    CLOUD_ACCOUNT_ID, CLOUD_REGION, CLOUD_RESOURCE_ID, DB_COLLECTION_NAME, FAAS_INVOCATION_ID, RPC_METHOD,
    RPC_SYSTEM_NAME, former,
};

/// The maximum number of tables of one call: a transaction has at most 100 items.
const MAX_TABLES: usize = 100;

pub(super) fn is_call(attributes: &SpanAttributes<'_>) -> bool {
    attributes.first_text(&[RPC_SYSTEM_NAME, former::RPC_SYSTEM]).is_some_and(|(_, system)| system == "aws-api")
}

/// Returns the service: `DynamoDB` of the method `DynamoDB/Query`, or the attribute of older conventions.
pub(super) fn service<'a>(attributes: &SpanAttributes<'a>) -> Option<&'a str> {
    let of_method = || attributes.text(RPC_METHOD)?.rsplit_once('/').map(|(service, _)| service);
    attributes.text(former::RPC_SERVICE).or_else(of_method).or_else(|| attributes.text(former::AWS_SERVICE))
}

pub(super) fn write(role: Role, form: Form, attributes: &mut SpanAttributes<'_>, document: &mut Members<'_>) {
    document.object("aws", |aws| {
        put(attributes, aws, "account_id", &[CLOUD_ACCOUNT_ID]);
        match role {
            Role::Segment | Role::Invocation => write_invocation(attributes, aws),
            Role::Aws => write_call(attributes, aws),
            Role::Sql | Role::Remote | Role::Local => {}
        }
        // Only the outermost document has these.
        if form != Form::Inside {
            aws.object("xray", |xray| xray.word("sdk", "opentelemetry for rust"));
        }
    });
}

/// X-Ray cannot search for the function and the request here, so the attributes also stay under their own names.
fn write_invocation(attributes: &SpanAttributes<'_>, aws: &mut Members<'_>) {
    if let Some((_, arn)) = attributes.first_text(&[AWS_LAMBDA_INVOKED_ARN, CLOUD_RESOURCE_ID]) {
        aws.text("function_arn", arn, MAX_TEXT);
    }
    if let Some(id) = attributes.text(FAAS_INVOCATION_ID) {
        aws.text("request_id", id, MAX_TEXT);
    }
}

fn write_call(attributes: &mut SpanAttributes<'_>, aws: &mut Members<'_>) {
    for key in [former::RPC_SYSTEM, RPC_SYSTEM_NAME, former::RPC_SERVICE] {
        attributes.mark_written(key);
    }
    if let Some(method) = attributes.text(RPC_METHOD) {
        let operation = method.rsplit_once('/').map_or(method, |(_, operation)| operation);
        if aws.text("operation", operation, MAX_TEXT) {
            attributes.mark_written(RPC_METHOD);
        }
    }
    put(attributes, aws, "region", &[CLOUD_REGION, former::AWS_REGION]);
    put(attributes, aws, "request_id", &[AWS_REQUEST_ID]);
    put(attributes, aws, "queue_url", &[AWS_SQS_QUEUE_URL, former::AWS_QUEUE_URL, former::AWS_QUEUE_URL_SNAKE]);
    match attributes.get(AWS_DYNAMODB_TABLE_NAMES).and_then(tables) {
        Some(tables) => {
            attributes.mark_written(AWS_DYNAMODB_TABLE_NAMES);
            if let Some(first) = tables.first() {
                aws.text("table_name", first.as_str(), MAX_TEXT);
                aws.texts("table_names", tables);
            }
        }
        None => {
            let keys = [DB_COLLECTION_NAME, former::AWS_TABLE_NAME, former::AWS_TABLE_NAME_SNAKE];
            put(attributes, aws, "table_name", &keys);
        }
    }
    if let Some(attempts @ 2..) = attributes.integer(AWS_SDK_ATTEMPTS) {
        attributes.mark_written(AWS_SDK_ATTEMPTS);
        aws.number("retries", attempts - 1);
    }
}

fn put(attributes: &mut SpanAttributes<'_>, block: &mut Members<'_>, place: &str, keys: &[&'static str]) {
    attributes.write_first(block, place, keys, MAX_TEXT);
}

/// Returns the table names that other instrumentation recorded. The attribute may be a single name, because a `tracing`
/// field cannot be a list.
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
