use std::fmt;

use lambda_spans::Settings;

/// All missing and invalid settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

/// A missing or invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the variable.
    pub name: &'static str,
    /// The value that was found and the allowed values.
    pub problem: String,
}

/// Reads settings by name and collects the faults.
pub(super) struct Lookup<G> {
    get: G,
    faults: Vec<Fault>,
}

impl<G: Fn(&str) -> Option<String>> Lookup<G> {
    pub(super) fn new(get: G) -> Self {
        Self { get, faults: Vec::new() }
    }

    /// Returns a setting. An empty value counts as unset.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.trim().is_empty())
    }

    /// Returns a setting, or adds a fault if it is unset. `meaning` describes the expected value.
    pub(super) fn required(&mut self, name: &'static str, meaning: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.fault(name, format!("missing: set it to {meaning}"));
        }
        value
    }

    pub(super) fn fault(&mut self, name: &'static str, problem: String) {
        self.faults.push(Fault { name, problem });
    }

    /// Returns the settings of tracing, which are always usable, or all faults if there are any.
    pub(super) fn spans(self) -> Result<Settings, ConfigError> {
        if self.faults.is_empty() {
            Ok(Settings::from_lookup(self.get).with_default_service_version(env!("CARGO_PKG_VERSION")))
        } else {
            Err(ConfigError { faults: self.faults })
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

impl ConfigError {
    /// Returns the faults.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid settings")?;
        self.faults.iter().try_for_each(|fault| write!(f, "; {fault}"))
    }
}

impl std::error::Error for ConfigError {}
