//! The `aws` block: of a call the service's side, of an invocation the function's.

use opentelemetry::{Array, KeyValue, Value};

use super::{MAX_TEXT, Role};
use crate::xray::attributes::Attributes;
use crate::xray::json::Members;

/// The tables of one call: a transaction has a hundred items at most.
const MAX_TABLES: usize = 100;
const TABLES: &str = "aws.dynamodb.table_names";
const METHOD: &str = "rpc.method";

pub(super) fn is_call(attributes: &Attributes<'_>) -> bool {
    attributes.first_text(&["rpc.system.name", "rpc.system"]).is_some_and(|(_, system)| system == "aws-api")
}

/// `DynamoDB` of the method `DynamoDB/Query`, or what older conventions say by itself.
pub(super) fn service<'a>(attributes: &Attributes<'a>) -> Option<&'a str> {
    let of_method = || attributes.text(METHOD)?.rsplit_once('/').map(|(service, _)| service);
    attributes.text("rpc.service").or_else(of_method).or_else(|| attributes.text("aws.service"))
}

/// What X-Ray has a place for and the translator has not.
#[derive(Default)]
pub(in crate::xray) struct Extras<'a> {
    function_arn: Option<&'a str>,
    request_id: Option<&'a str>,
    retries: Option<i64>,
}

impl Extras<'_> {
    pub(in crate::xray) fn is_empty(&self) -> bool {
        self.function_arn.is_none() && self.request_id.is_none() && self.retries.is_none()
    }

    pub(in crate::xray) fn write(&self, aws: &mut Members<'_>) {
        if let Some(arn) = self.function_arn {
            aws.text("function_arn", arn, MAX_TEXT);
        }
        if let Some(id) = self.request_id {
            aws.text("request_id", id, MAX_TEXT);
        }
        if let Some(retries) = self.retries {
            aws.number("retries", retries);
        }
    }
}

pub(super) fn say<'a>(role: Role, attributes: &mut Attributes<'a>, said: &mut Vec<KeyValue>) -> Extras<'a> {
    if let Some(account) = attributes.text("cloud.account.id") {
        said.push(KeyValue::new("cloud.account.id", attributes.cut("cloud.account.id", account, MAX_TEXT)));
    }
    match role {
        Role::Segment | Role::Invocation => of_invocation(attributes),
        Role::Aws => of_call(attributes, said),
        Role::Sql | Role::Remote | Role::Local => Extras::default(),
    }
}

fn of_invocation<'a>(attributes: &mut Attributes<'a>) -> Extras<'a> {
    let arn = attributes.first_text(&["aws.lambda.invoked_arn", "cloud.resource_id"]).map(|(_, arn)| arn);
    Extras { function_arn: arn, request_id: attributes.text("faas.invocation_id"), retries: None }
}

fn of_call<'a>(attributes: &mut Attributes<'a>, said: &mut Vec<KeyValue>) -> Extras<'a> {
    said.push(KeyValue::new("rpc.system", "aws-api"));
    for key in ["rpc.system", "rpc.system.name", "rpc.service"] {
        attributes.say(key);
    }
    if let Some(method) = attributes.text(METHOD) {
        let operation = method.rsplit_once('/').map_or(method, |(_, operation)| operation);
        said.push(KeyValue::new(METHOD, attributes.cut(METHOD, operation, MAX_TEXT)));
    }
    let texts: [(&[&'static str], &'static str); 4] = [
        (&["cloud.region", "aws.region"], "cloud.region"),
        (&["aws.request_id"], "aws.request_id"),
        (&["aws.sqs.queue.url", "aws.queue.url", "aws.queue_url"], "aws.queue.url"),
        (&["aws.table.name", "aws.table_name"], "aws.table.name"),
    ];
    for (keys, place) in texts {
        if let Some((key, text)) = attributes.first_text(keys) {
            said.push(KeyValue::new(place, attributes.cut(key, text, MAX_TEXT)));
        }
    }
    if let Some(tables) = attributes.get(TABLES).and_then(tables) {
        said.push(KeyValue::new(TABLES, tables));
        attributes.say(TABLES);
    }
    let retries = attributes.integer("aws.sdk.attempts").filter(|attempts| *attempts > 1);
    if retries.is_some() {
        attributes.say("aws.sdk.attempts");
    }
    Extras { retries: retries.map(|attempts| attempts - 1), ..Extras::default() }
}

/// A list, also where the attribute is one name: a field of `tracing` cannot be a list.
fn tables(value: &Value) -> Option<Value> {
    if let Value::String(name) = value {
        return (name.as_str().len() <= MAX_TEXT).then(|| Value::Array(Array::String(vec![name.clone()])));
    }
    let Value::Array(Array::String(names)) = value else { return None };
    let fits = names.len() <= MAX_TABLES && names.iter().all(|name| name.as_str().len() <= MAX_TEXT);
    fits.then(|| value.clone())
}
