use lambda_spans::Settings;

use super::cognito::Cognito;
use super::lookup::{ConfigError, Lookup};
use super::{origins, variable};
use crate::store::{InvalidSchedule, Schedule};

/// Settings of the `api` function.
#[derive(Debug)]
pub struct Config {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table_name: String,
    /// `HOME_SCHEDULE`: the partitions of the home feed and of the word index, besides the default ones.
    pub schedule: Schedule,
    /// `SECRET_ARN`: the ARN or name of the Secrets Manager secret with the master key.
    pub secret_arn: String,
    /// The user pool.
    pub cognito: Cognito,
    /// `ALLOWED_ORIGINS`: the origins of web pages that may call the API.
    pub origins: Vec<String>,
    /// `BROWSER_TRACES`: whether pages of these origins may send spans.
    pub browser_traces: bool,
    /// The settings of tracing.
    pub spans: Settings,
}

/// Settings of the functions that need only the table: `signup` and `stream`.
#[derive(Debug)]
pub struct TableConfig {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table_name: String,
    /// `HOME_SCHEDULE`: the partitions of the home feed and of the word index, besides the default ones.
    pub schedule: Schedule,
    /// `DEAD_LETTERS_URL`: the dead-letter queue of `stream`. If unset, Lambda keeps retrying failed records.
    pub dead_letters_url: Option<String>,
    /// The settings of tracing.
    pub spans: Settings,
}

impl Config {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(variable)
    }

    /// Reads the settings from `get`. An empty value counts as unset.
    ///
    /// # Errors
    /// [`ConfigError`] with all missing and invalid settings.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut settings = Lookup::new(get);
        let table_name = table_name(&mut settings);
        let schedule = schedule(&mut settings);
        let secret_arn =
            settings.required("SECRET_ARN", "the ARN or name of the Secrets Manager secret with the master key");
        let cognito = Cognito::from_lookup(&mut settings);
        let origins = origins::from_lookup(&mut settings);
        let browser_traces = browser_traces(&mut settings);
        let spans = settings.spans()?;
        // Unreachable: `spans` fails if a required setting is missing.
        let (Some(table_name), Some(secret_arn), Some(cognito)) = (table_name, secret_arn, cognito) else {
            return Err(ConfigError::default());
        };
        Ok(Self { table_name, schedule, secret_arn, cognito, origins, browser_traces, spans })
    }
}

impl TableConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(variable)
    }

    /// Reads the settings from `get`. An empty value counts as unset.
    ///
    /// # Errors
    /// [`ConfigError`] with all missing and invalid settings.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut settings = Lookup::new(get);
        let table_name = table_name(&mut settings).unwrap_or_default();
        let schedule = schedule(&mut settings);
        let dead_letters_url = settings.optional("DEAD_LETTERS_URL");
        Ok(Self { spans: settings.spans()?, table_name, schedule, dead_letters_url })
    }
}

fn table_name<G: Fn(&str) -> Option<String>>(settings: &mut Lookup<G>) -> Option<String> {
    settings.required("TABLE_NAME", "the name of the DynamoDB table")
}

/// Reads `BROWSER_TRACES`. If it is unset, pages may not send spans.
fn browser_traces<G: Fn(&str) -> Option<String>>(settings: &mut Lookup<G>) -> bool {
    const NAME: &str = "BROWSER_TRACES";
    match settings.optional(NAME).as_deref() {
        Some("on") => true,
        None | Some("off") => false,
        Some(_) => {
            settings.fault(NAME, "must be `on` or `off`".to_owned());
            false
        }
    }
}

/// Reads `HOME_SCHEDULE`. If it is unset, the default schedule applies.
fn schedule<G: Fn(&str) -> Option<String>>(settings: &mut Lookup<G>) -> Schedule {
    const NAME: &str = "HOME_SCHEDULE";
    let parsed = settings.optional(NAME).unwrap_or_default().parse();
    parsed.unwrap_or_else(|invalid: InvalidSchedule| {
        settings.fault(NAME, invalid.to_string());
        Schedule::default()
    })
}
