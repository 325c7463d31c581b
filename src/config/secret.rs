use std::fmt;
use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use serde::{Deserialize, Serialize};

use crate::aws_json::{Api, Call, CallError, Limits};

const GET_SECRET_VALUE: Api = Api {
    service: "Secrets Manager",
    operation: "GetSecretValue",
    host: "secretsmanager",
    target: "secretsmanager",
    content_type: "application/x-amz-json-1.1",
};
const ATTEMPT: Duration = Duration::from_secs(1);
const OPERATION: Duration = Duration::from_secs(4);
/// Minimum length of the master key in bytes.
const MIN_BYTES: usize = 32;

/// The master secret before and after its last rotation.
#[derive(Clone)]
pub struct Secret {
    /// The version `AWSCURRENT`.
    pub current: Vec<u8>,
    /// The version `AWSPREVIOUS`, if it exists.
    pub previous: Option<Vec<u8>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue<'a> {
    secret_id: &'a str,
    version_stage: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: Option<String>,
}

/// Why the master secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not return it.
    #[error("cannot read the secret {arn} (SECRET_ARN) from Secrets Manager")]
    Unreadable {
        /// The setting's value.
        arn: String,
        /// The error of Secrets Manager or the SDK.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It contains no key of sufficient length.
    #[error(
        "the secret {arn} (SECRET_ARN) contains no key of at least {MIN_BYTES} bytes: store one as plain text, or as \
         `key` in a JSON object"
    )]
    Weak {
        /// The setting's value.
        arn: String,
    },
}

impl Secret {
    /// Reads both versions from Secrets Manager.
    ///
    /// # Errors
    /// [`SecretError`] if the current version cannot be read or used, or if reading the previous one fails for another
    /// reason than its absence.
    pub async fn read(sdk: &SdkConfig, arn: &str) -> Result<Self, SecretError> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        let retries = sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let call = Call::new(sdk, GET_SECRET_VALUE, Limits { timeouts, retries });
        let (current, previous) = tokio::join!(version(&call, arn, "AWSCURRENT"), version(&call, arn, "AWSPREVIOUS"));
        let weak = || SecretError::Weak { arn: arn.to_owned() };
        let current = current?.as_deref().and_then(master_key).ok_or_else(weak)?;
        Ok(Self { current, previous: previous?.as_deref().and_then(master_key) })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// Returns `None` if the previous version does not exist because the secret was never rotated.
async fn version(call: &Call, arn: &str, stage: &str) -> Result<Option<String>, SecretError> {
    match call.send::<SecretValue>(&GetSecretValue { secret_id: arn, version_stage: stage }).await {
        Ok(found) => Ok(found.secret_string),
        Err(CallError::Rejected { code, .. }) if code == "ResourceNotFoundException" && stage == "AWSPREVIOUS" => {
            Ok(None)
        }
        Err(error) => Err(SecretError::Unreadable { arn: arn.to_owned(), source: Box::new(error) }),
    }
}

/// Returns the text itself, or its field `key` if it is a JSON object.
fn master_key(text: &str) -> Option<Vec<u8>> {
    let json = serde_json::from_str::<serde_json::Value>(text).ok();
    let key = match json.as_ref().and_then(serde_json::Value::as_object) {
        Some(object) => object.get("key")?.as_str()?,
        None => text,
    };
    (key.len() >= MIN_BYTES).then(|| key.as_bytes().to_vec())
}
