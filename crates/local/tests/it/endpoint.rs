//! DynamoDB and Secrets Manager on one port, through the AWS SDK.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use cruddur_local::aws;
use serde_json::{Value, json};

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

/// Calls DynamoDB Streams. Returns the status, the headers and the body.
async fn streams(fixture: &Fixture, operation: &str, body: Value) -> (u16, axum::http::HeaderMap, Value) {
    let request = axum::http::Request::post(format!("http://{}/", fixture.server.address()))
        .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20260101T000000Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=0",
        )
        .body(axum::body::Body::from(body.to_string()))
        .unwrap();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX).await.unwrap();
    (head.status.as_u16(), head.headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn stream_is_read_by_a_shard_id_of_dynamodbs_length() {
    let fixture = Fixture::start().await;
    let client = fixture.dynamodb();
    cruddur::store::create_table(&client, "cruddur").await.unwrap();
    let text = |value: &str| AttributeValue::S(value.to_owned());
    client.put_item().table_name("cruddur").item("pk", text("a")).item("sk", text("1")).send().await.unwrap();

    let (_, _, listed) = streams(&fixture, "ListStreams", json!({})).await;
    let arn = &listed["Streams"][0]["StreamArn"];
    let (status, headers, described) = streams(&fixture, "DescribeStream", json!({ "StreamArn": arn })).await;
    assert_eq!(status, 200, "{described}");
    assert!(!headers.contains_key("x-amz-crc32"), "it would be that of another body");
    let id = described["StreamDescription"]["Shards"][0]["ShardId"].as_str().unwrap();
    assert!((28..=65).contains(&id.len()), "{id}");
    for id in [id, "shardId-00000001-cruddur"] {
        let request = json!({ "StreamArn": arn, "ShardId": id, "ShardIteratorType": "TRIM_HORIZON" });
        let (status, _, iterator) = streams(&fixture, "GetShardIterator", request).await;
        assert_eq!(status, 200, "{iterator}");
        let request = json!({ "ShardIterator": iterator["ShardIterator"] });
        let (_, _, page) = streams(&fixture, "GetRecords", request).await;
        assert_eq!(page["Records"][0]["dynamodb"]["Keys"], json!({ "pk": { "S": "a" }, "sk": { "S": "1" } }));
    }
    let request = json!({ "StreamArn": arn, "ExclusiveStartShardId": id });
    assert_eq!(streams(&fixture, "DescribeStream", request).await.0, 200);
}

#[tokio::test]
async fn error_of_dynamodb_streams_is_returned() {
    let fixture = Fixture::start().await;
    let request = json!({ "StreamArn": "arn:aws:dynamodb:dynoxide:000000000000:table/nothing/stream/1.000000000" });
    let (status, _, error) = streams(&fixture, "DescribeStream", request).await;
    assert_eq!(status, 400);
    assert!(error["__type"].as_str().unwrap().ends_with("ResourceNotFoundException"), "{error}");
}

#[tokio::test]
async fn container_reaches_the_endpoint_by_its_own_host_name() {
    let fixture = Fixture::start().await;
    let address = fixture.server.address();
    let request = axum::http::Request::get(format!("http://{address}/us-east-1_local/.well-known/jwks.json"))
        .header("host", format!("host.docker.internal:{}", address.port()))
        .body(axum::body::Body::empty())
        .unwrap();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    assert_eq!(client.request(request).await.unwrap().status(), 200);
}
