//! Attributes of Amazon DynamoDB operations, by the semantic conventions.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::{
    batch_get_item::{BatchGetItemInput, BatchGetItemOutput},
    batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput},
    delete_item::{DeleteItemInput, DeleteItemOutput},
    get_item::{GetItemInput, GetItemOutput},
    put_item::{PutItemInput, PutItemOutput},
    query::{QueryInput, QueryOutput},
    scan::{ScanInput, ScanOutput},
    transact_get_items::{TransactGetItemsInput, TransactGetItemsOutput},
    transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
    update_item::{UpdateItemInput, UpdateItemOutput},
};
use aws_sdk_dynamodb::types::{ConsumedCapacity, TransactWriteItem};
use aws_smithy_runtime_api::client::interceptors::context::{Input, Output};
use opentelemetry::{KeyValue, Value};

use crate::attributes::{
    AWS_DYNAMODB_CONSISTENT_READ, AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS, AWS_DYNAMODB_COUNT, AWS_DYNAMODB_INDEX_NAME,
    AWS_DYNAMODB_LIMIT, AWS_DYNAMODB_SCAN_FORWARD, AWS_DYNAMODB_SCANNED_COUNT, DB_COLLECTION_NAME, DB_OPERATION_NAME,
    DB_SYSTEM_NAME,
};

pub(super) fn describe_input(service: &str, operation: &str, input: &Input) -> Vec<KeyValue> {
    if service != "DynamoDB" {
        return Vec::new();
    }
    let mut attributes =
        vec![KeyValue::new(DB_SYSTEM_NAME, "aws.dynamodb"), KeyValue::new(DB_OPERATION_NAME, operation.to_owned())];
    if let Some(table) = only_table(input) {
        attributes.push(KeyValue::new(DB_COLLECTION_NAME, table.to_owned()));
    }
    if let Some(query) = input.downcast_ref::<QueryInput>() {
        let optional = [
            (AWS_DYNAMODB_INDEX_NAME, query.index_name().map(|name| Value::from(name.to_owned()))),
            (AWS_DYNAMODB_LIMIT, query.limit().map(|limit| Value::from(i64::from(limit)))),
            (AWS_DYNAMODB_SCAN_FORWARD, query.scan_index_forward().map(Value::from)),
            (AWS_DYNAMODB_CONSISTENT_READ, query.consistent_read().map(Value::from)),
        ];
        attributes.extend(optional.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))));
    }
    attributes
}

/// Returns the table of the operation, or `None` if it has several.
fn only_table(input: &Input) -> Option<&str> {
    /// Returns the table of `input`, from the first matching operation in the list.
    macro_rules! table_of {
        ($($operation:ty),+) => {
            None$(.or_else(|| input.downcast_ref::<$operation>().and_then(|input| input.table_name())))+
        };
    }
    if let Some(table) = table_of!(GetItemInput, QueryInput, PutItemInput, UpdateItemInput, DeleteItemInput, ScanInput)
    {
        return Some(table);
    }
    let mut tables = BTreeSet::new();
    if let Some(input) = input.downcast_ref::<TransactWriteItemsInput>() {
        tables.extend(input.transact_items().iter().filter_map(table_written));
    } else if let Some(input) = input.downcast_ref::<TransactGetItemsInput>() {
        tables.extend(input.transact_items().iter().filter_map(|item| item.get()).map(|get| get.table_name()));
    } else if let Some(input) = input.downcast_ref::<BatchGetItemInput>() {
        tables.extend(input.request_items().into_iter().flatten().map(|(table, _)| table.as_str()));
    } else if let Some(input) = input.downcast_ref::<BatchWriteItemInput>() {
        tables.extend(input.request_items().into_iter().flatten().map(|(table, _)| table.as_str()));
    }
    let mut tables = tables.into_iter();
    tables.next().filter(|_| tables.next().is_none())
}

fn table_written(item: &TransactWriteItem) -> Option<&str> {
    item.put()
        .map(|put| put.table_name())
        .or_else(|| item.update().map(|update| update.table_name()))
        .or_else(|| item.delete().map(|delete| delete.table_name()))
        .or_else(|| item.condition_check().map(|check| check.table_name()))
}

pub(super) fn describe_output(output: &Output) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    if let Some(query) = output.downcast_ref::<QueryOutput>() {
        attributes.push(KeyValue::new(AWS_DYNAMODB_COUNT, i64::from(query.count())));
        attributes.push(KeyValue::new(AWS_DYNAMODB_SCANNED_COUNT, i64::from(query.scanned_count())));
    } else if let Some(get) = output.downcast_ref::<GetItemOutput>() {
        attributes.push(KeyValue::new(AWS_DYNAMODB_COUNT, i64::from(get.item().is_some())));
    } else if let Some(scan) = output.downcast_ref::<ScanOutput>() {
        attributes.push(KeyValue::new(AWS_DYNAMODB_COUNT, i64::from(scan.count())));
        attributes.push(KeyValue::new(AWS_DYNAMODB_SCANNED_COUNT, i64::from(scan.scanned_count())));
    }
    if let Some(units) = consumed_units(output) {
        attributes.push(KeyValue::new(AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS, units));
    }
    attributes
}

/// Returns the sum over all tables. `None` means that the request did not ask for the consumed capacity.
fn consumed_units(output: &Output) -> Option<f64> {
    macro_rules! consumed_by {
        (one: $($one:ty),+; many: $($many:ty),+) => {
            $(if let Some(output) = output.downcast_ref::<$one>() {
                return output.consumed_capacity()?.capacity_units();
            })+
            $(if let Some(output) = output.downcast_ref::<$many>() {
                return sum(output.consumed_capacity());
            })+
        };
    }
    consumed_by!(
        one: QueryOutput, GetItemOutput, PutItemOutput, UpdateItemOutput, DeleteItemOutput, ScanOutput;
        many: TransactWriteItemsOutput, TransactGetItemsOutput, BatchGetItemOutput, BatchWriteItemOutput
    );
    None
}

fn sum(consumed: &[ConsumedCapacity]) -> Option<f64> {
    (!consumed.is_empty()).then(|| consumed.iter().filter_map(|consumed| consumed.capacity_units()).sum())
}
