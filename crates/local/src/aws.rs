//! AWS SDK configuration for the local endpoint.

use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

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
