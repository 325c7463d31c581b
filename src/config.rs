//! Settings of the Lambda functions, read once from the environment.
//!
//! If any setting is invalid, the process does not start, and its log lists all invalid settings.

mod cannot_start;
mod cognito;
mod credentials;
mod functions;
mod key_set;
mod lookup;
mod origins;
mod secret;

use aws_config::{BehaviorVersion, SdkConfig};
use lambda_spans::Spans;

pub use cannot_start::cannot_start;
pub use cognito::Cognito;
pub use credentials::lambda_credentials;
pub use functions::{Config, TableConfig};
pub use key_set::{KeySetError, key_set};
pub use lookup::{ConfigError, Fault};
pub use origins::is_origin;
pub use secret::{Secret, SecretError};

/// Loads the AWS SDK's own settings: region, credentials, `AWS_ENDPOINT_URL`. The SDK clients and the span exporter share
/// one HTTP and TLS stack.
pub async fn aws(spans: &Spans) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(spans.http_client());
    if let Some(credentials) = lambda_credentials(variable) {
        loader = loader.credentials_provider(credentials);
    }
    loader.load().await
}

#[expect(clippy::disallowed_methods, reason = "the only code that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
