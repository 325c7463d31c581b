use lambda_spans::{Fault, Settings};

use super::{ConfigError, variable};

/// The settings of the `stream` function.
#[derive(Debug)]
pub struct StreamConfig {
    /// The DynamoDB table, `TABLE_NAME`.
    pub table_name: String,
    /// Those of tracing.
    pub spans: Settings,
}

impl StreamConfig {
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
        let table_name = get("TABLE_NAME").filter(|value| !value.trim().is_empty());
        let table_name = table_name.ok_or_else(|| Fault {
            name: "TABLE_NAME",
            problem: "missing, set it to the name of the DynamoDB table, `cruddur` on a laptop".to_owned(),
        });
        match (table_name, Settings::from_lookup(&get)) {
            (Ok(table_name), Ok(spans)) => Ok(Self { table_name, spans }),
            (table_name, spans) => {
                let faults = table_name.err().into_iter().chain(spans.err().into_iter().flatten());
                Err(ConfigError { faults: faults.collect() })
            }
        }
    }
}
