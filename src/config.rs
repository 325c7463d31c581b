//! The settings of our binaries: the environment, read once, all faults told at once.

mod cannot_start;
mod cognito;
mod key_set;
mod lookup;
mod origins;
mod secret;
mod table;

use std::fmt;

use aws_config::{BehaviorVersion, SdkConfig};
use lambda_spans::{Settings, SettingsError, Spans};

pub use cannot_start::cannot_start;
pub use cognito::Cognito;
pub use key_set::{KeySetError, key_set};
use lookup::Lookup;
pub use origins::is_origin;
pub use secret::{Secret, SecretError};
pub use table::TableConfig;

/// The settings of the `api` function.
#[derive(Debug)]
pub struct Config {
    /// The DynamoDB table, `TABLE_NAME`.
    pub table_name: String,
    /// The Secrets Manager secret with the master key, `SECRET_ARN`: an ARN or a name.
    pub secret_arn: String,
    /// The user pool.
    pub cognito: Cognito,
    /// The origins of the web pages that may call, `ALLOWED_ORIGINS`.
    pub origins: Vec<String>,
    /// Those of tracing.
    pub spans: Settings,
}

/// Every setting that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<SettingsError>,
}

impl Config {
    /// The settings of this process.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(variable)
    }

    /// The settings that `get` finds. An empty value is as good as none.
    ///
    /// # Errors
    /// All settings that are missing or cannot be used, together.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut settings = Lookup::new(get);
        let table_name = table_name(&mut settings);
        let secret_arn =
            settings.required("SECRET_ARN", "the ARN or the name of the Secrets Manager secret with the master key");
        let cognito = Cognito::from_lookup(&mut settings);
        let origins = origins::from_lookup(&mut settings);
        let spans = settings.spans()?;
        // What is missing is a fault, of which there is none.
        let (Some(table_name), Some(secret_arn), Some(cognito)) = (table_name, secret_arn, cognito) else {
            return Err(ConfigError { faults: Vec::new() });
        };
        Ok(Self { table_name, secret_arn, cognito, origins, spans })
    }
}

fn table_name<G: Fn(&str) -> Option<String>>(settings: &mut Lookup<G>) -> Option<String> {
    settings.required("TABLE_NAME", "the name of the DynamoDB table, `cruddur` on a laptop")
}

impl ConfigError {
    /// The settings at fault.
    #[must_use]
    pub fn faults(&self) -> &[SettingsError] {
        &self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used")?;
        self.faults.iter().try_for_each(|fault| write!(f, "; {fault}"))
    }
}

impl std::error::Error for ConfigError {}

/// What the AWS SDK reads for itself: region, credentials, `AWS_ENDPOINT_URL`. Its clients share one TLS stack with
/// the export of spans.
pub async fn aws(spans: &Spans) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).http_client(spans.http_client()).load().await
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
