//! The SDK settings that lead to this machine's endpoint.

use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

/// Settings for clients of the endpoint at `address`.
///
/// Nothing is read from the environment or from `~/.aws`, so that a profile, a proxy or a region set there cannot lead
/// the local server to a real account.
pub fn settings(address: SocketAddr) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://{address}"))
        .region(Region::from_static("us-east-1"))
        // The endpoint looks only whether a request is signed, not by whom.
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "local")))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}
