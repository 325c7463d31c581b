//! AWS SDK configuration for the local endpoint, and the client of the embedded database.

use std::net::SocketAddr;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use cruddur::store;

use crate::dynamodb::DynamoDb;
use crate::in_process::InProcess;

/// In AWS, a request that takes longer than the store's timeouts has met a fault. Here it waits for the CPU or for SQLite's
/// writer, and a second attempt would only add load.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the SDK configuration for clients of the endpoint at `address`.
///
/// It ignores the environment and `~/.aws`, so that a profile, proxy or region configured there cannot make the local
/// server call a real AWS account.
pub fn sdk_config(address: SocketAddr) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://{address}"))
        .region(Region::from_static("us-east-1"))
        // The endpoint requires a signature but accepts any credentials.
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "local")))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// Returns the store's client of `database`, which it calls in this process. Operations time out after 30 seconds.
pub fn database_client(database: &DynamoDb) -> Client {
    let server = aws_smithy_http_client::Builder::new().build_http();
    let in_process = InProcess::new(database.database(), database.path(), server);
    let config = sdk_config(database.address()).into_builder().http_client(in_process).build();
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(TIMEOUT).operation_timeout(TIMEOUT).build();
    Client::from_conf(store::client(&config).config().to_builder().timeout_config(timeouts).build())
}
