//! DynamoDB and Secrets Manager on one port, through the AWS SDK.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use cruddur_local::aws;
use serde_json::json;

use crate::support::Fixture;

async fn create_table(client: &aws_sdk_dynamodb::Client) {
    client
        .create_table()
        .table_name("things")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S).build().unwrap(),
        )
        .key_schema(KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap())
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn current_secret_is_the_master_secret() {
    let fixture = Fixture::start().await;
    for request in [json!({ "SecretId": "Secret" }), json!({ "SecretId": "Secret", "VersionStage": "AWSCURRENT" })] {
        let (status, body) = fixture.get_secret_value(request).await;
        assert_eq!((status, &body["SecretString"]), (200, &json!(fixture.secret.expose())));
        assert_eq!(body["VersionStages"], json!(["AWSCURRENT"]));
    }
}

#[tokio::test]
async fn previous_secret_version_does_not_exist() {
    let fixture = Fixture::start().await;
    let request = json!({ "SecretId": "Secret", "VersionStage": "AWSPREVIOUS" });
    let (status, body) = fixture.get_secret_value(request).await;
    assert_eq!((status, &body["__type"]), (400, &json!("ResourceNotFoundException")));
}

#[tokio::test]
async fn api_function_reads_the_master_secret() {
    let fixture = Fixture::start().await;
    let found = cruddur::config::Secret::read(&aws::sdk_config(fixture.server.address()), "local").await.unwrap();
    assert_eq!(found.current, fixture.secret.expose().as_bytes());
    assert_eq!(found.previous, None);
}

#[tokio::test]
async fn stored_item_can_be_read() {
    let fixture = Fixture::start().await;
    let client = fixture.dynamodb();
    create_table(&client).await;
    let key = AttributeValue::S("a".to_owned());
    client.put_item().table_name("things").item("pk", key.clone()).send().await.unwrap();
    let read = client.get_item().table_name("things").key("pk", key.clone()).send().await.unwrap();
    assert_eq!(read.item().unwrap()["pk"], key);
}

#[tokio::test]
async fn missing_table_returns_dynamodbs_error() {
    let fixture = Fixture::start().await;
    let error = fixture.dynamodb().scan().table_name("nothing").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn data_and_secret_survive_a_restart() {
    let fixture = Fixture::start().await;
    let secret = fixture.secret.clone();
    create_table(&fixture.dynamodb()).await;
    let folder = fixture.stop().await;

    let again = Fixture::start_in(folder).await;
    let tables = again.dynamodb().list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), ["things"]);
    assert!(again.secret == secret);
}

#[tokio::test]
async fn key_set_has_cognitos_path_and_public_fields_only() {
    let fixture = Fixture::start().await;
    let url = format!("http://{}/us-east-1_local/.well-known/jwks.json", fixture.server.address());
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let response =
        client.request(axum::http::Request::get(url).body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), usize::MAX).await.unwrap();
    let keys: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let names: Vec<_> = keys["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
}

#[tokio::test]
async fn request_from_web_page_is_rejected() {
    let fixture = Fixture::start().await;
    let target = "secretsmanager.GetSecretValue";
    let request = axum::http::Request::post(format!("http://{}/", fixture.server.address()))
        .header("origin", "http://example.com")
        .header("x-amz-target", target)
        .body(axum::body::Body::from(r#"{"SecretId":"Secret"}"#))
        .unwrap();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 403);
}
