use lambda_spans::{Settings, SettingsError};

use super::ConfigError;

/// Settings by name, and the faults found in them so far.
pub(super) struct Lookup<G> {
    get: G,
    faults: Vec<SettingsError>,
}

impl<G: Fn(&str) -> Option<String>> Lookup<G> {
    pub(super) fn new(get: G) -> Self {
        Self { get, faults: Vec::new() }
    }

    /// An empty value is as good as none.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.trim().is_empty())
    }

    /// A fault where there is none; `meaning` says what it is to be set to.
    pub(super) fn required(&mut self, name: &'static str, meaning: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.fault(name, format!("missing, set it to {meaning}"));
        }
        value
    }

    pub(super) fn fault(&mut self, name: &'static str, problem: String) {
        self.faults.push(SettingsError { name, problem });
    }

    /// The settings of tracing, unless anything at all is at fault.
    pub(super) fn spans(mut self) -> Result<Settings, ConfigError> {
        match Settings::from_lookup(&self.get) {
            Ok(settings) if self.faults.is_empty() => Ok(settings),
            spans => {
                self.faults.extend(spans.err().into_iter().flatten());
                Err(ConfigError { faults: self.faults })
            }
        }
    }
}
