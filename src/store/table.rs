use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification, TimeToLiveStatus,
};

use super::StoreError;
use super::keys::{LIST, LIST_SK, LISTED, LISTS, PK, SK, TTL};

/// Creates the table as `template.yaml` does, on a DynamoDB that creates tables synchronously, such as the embedded one.
///
/// An existing table is left unchanged.
///
/// # Errors
/// [`StoreError::Throttled`], [`StoreError::Unavailable`] or [`StoreError::Rejected`].
pub async fn create_table(client: &Client, name: &str) -> Result<(), StoreError> {
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    let created = client
        .create_table()
        .table_name(name)
        .key_schema(key(PK, KeyType::Hash)?)
        .key_schema(key(SK, KeyType::Range)?)
        .attribute_definitions(string_attribute(PK)?)
        .attribute_definitions(string_attribute(SK)?)
        .attribute_definitions(string_attribute(LIST)?)
        .attribute_definitions(string_attribute(LIST_SK)?)
        .global_secondary_indexes(lists()?)
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream.build()?)
        .send()
        .await;
    match created {
        Err(error) if !error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
            Err(error.into())
        }
        Ok(_) | Err(_) => enable_ttl(client, name).await,
    }
}

fn lists() -> Result<GlobalSecondaryIndex, BuildError> {
    let projection = Projection::builder().projection_type(ProjectionType::Include);
    GlobalSecondaryIndex::builder()
        .index_name(LISTS)
        .key_schema(key(LIST, KeyType::Hash)?)
        .key_schema(key(LIST_SK, KeyType::Range)?)
        .projection(projection.set_non_key_attributes(Some(LISTED.map(str::to_owned).into())).build())
        .build()
}

async fn enable_ttl(client: &Client, table: &str) -> Result<(), StoreError> {
    let found = client.describe_time_to_live().table_name(table).send().await?;
    let status = found.time_to_live_description().and_then(|ttl| ttl.time_to_live_status());
    // Enabling TTL twice is an error.
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(());
    }
    let ttl = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build()?;
    client.update_time_to_live().table_name(table).time_to_live_specification(ttl).send().await?;
    Ok(())
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}

fn string_attribute(name: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
}
