use lambda_spans::Settings;

use super::lookup::Lookup;
use super::{ConfigError, table_name, variable};

/// The settings of a function that needs the table alone: `signup`, `stream`.
#[derive(Debug)]
pub struct TableConfig {
    /// The DynamoDB table, `TABLE_NAME`.
    pub table_name: String,
    /// The queue of what `stream` can never do, `DEAD_LETTERS_URL`. Without one, such a record comes again and again.
    pub dead_letters_url: Option<String>,
    /// Those of tracing.
    pub spans: Settings,
}

impl TableConfig {
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
        let table_name = table_name(&mut settings).unwrap_or_default();
        let dead_letters_url = settings.optional("DEAD_LETTERS_URL");
        Ok(Self { spans: settings.spans()?, table_name, dead_letters_url })
    }
}
