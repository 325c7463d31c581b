//! Reads environment variables and collects every error.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tracing_subscriber::filter::Targets;

/// Returns the value of an environment variable.
#[expect(clippy::disallowed_methods, reason = "the one place where this library reads the environment")]
pub(crate) fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Looks up variables and collects errors until [`finish`](Self::finish).
pub(crate) struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<SettingsError>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, errors: Vec::new() }
    }

    pub(crate) fn finish<T>(self, settings: T) -> Result<T, Vec<SettingsError>> {
        if self.errors.is_empty() { Ok(settings) } else { Err(self.errors) }
    }

    /// Records an error for a setting that is well-formed but unusable.
    pub(crate) fn unusable(&mut self, name: &'static str, problem: &str) {
        self.error(name, problem.to_owned());
    }

    fn error(&mut self, name: &'static str, problem: String) {
        self.errors.push(SettingsError { name, problem });
    }

    /// Returns the value of a variable; an empty value counts as unset.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Returns the first of several variables that is set.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.text(name)?)))
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Parses one of several words into its meaning.
    pub(crate) fn choice<T: Copy>(&mut self, names: &[&'static str], choices: &[(&str, T)]) -> Option<T> {
        let (name, value) = self.first(names)?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == value) {
            return Some(*choice);
        }
        let allowed = choices.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        self.error(name, format!("found `{value}`; allowed are {allowed}"));
        None
    }

    pub(crate) fn milliseconds(&mut self, names: &[&'static str]) -> Option<Duration> {
        let (name, value) = self.first(names)?;
        match value.parse() {
            Ok(milliseconds) => Some(Duration::from_millis(milliseconds)),
            Err(_) => {
                self.error(name, format!("`{value}` is not a whole number of milliseconds"));
                None
            }
        }
    }

    /// Parses an integer of at least 1.
    pub(crate) fn count(&mut self, name: &'static str) -> Option<u64> {
        let value = self.text(name)?;
        match value.parse() {
            Ok(0) | Err(_) => {
                self.error(name, format!("`{value}` is not a whole number from 1"));
                None
            }
            Ok(count) => Some(count),
        }
    }

    /// Rejects standard variables that have no effect here, each with the variable that does the same.
    pub(crate) fn without_effect(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let set = variables.iter().filter(|(theirs, _)| self.text(theirs).is_some());
        set.map(|(theirs, ours)| format!("{theirs} has no effect here; see {ours}")).collect()
    }

    pub(crate) fn url(&mut self, name: &'static str) -> Option<String> {
        let value = self.text(name)?;
        let valid = value.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
        });
        if valid {
            return Some(value);
        }
        self.error(name, format!("`{value}` is not a URL; it must begin with http:// or https:// and name a host"));
        None
    }

    /// Parses `key=value,key=value` with percent-encoded values. Errors omit the value, because it may be a secret.
    pub(crate) fn pairs(&mut self, name: &'static str) -> HashMap<String, String> {
        let mut pairs = HashMap::new();
        let entries = self.text(name).unwrap_or_default();
        for (index, entry) in entries.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty()) {
            let decoded =
                entry.split_once('=').map(|(key, value)| (key, percent_decode_str(value.trim()).decode_utf8()));
            match decoded {
                Some((key, Ok(value))) => {
                    pairs.insert(key.trim().to_owned(), value.into_owned());
                }
                Some((_, Err(_))) => self.error(name, format!("entry {} is not UTF-8 once decoded", index + 1)),
                None => self.error(name, format!("entry {} has no `=`; write `key=value,key=value`", index + 1)),
            }
        }
        pairs
    }

    /// Parses `host:port`, or the daemon's other form `tcp:host:port udp:host:port`.
    pub(crate) fn daemon_address(&mut self, name: &'static str) -> Option<String> {
        let value = self.text(name)?;
        let address = value.split_whitespace().find_map(|part| part.strip_prefix("udp:")).unwrap_or(&value);
        let valid =
            address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if valid {
            return Some(address.to_owned());
        }
        self.error(name, format!("`{value}` has no port; write `host:port`, or `tcp:host:port udp:host:port`"));
        None
    }

    /// Parses levels by target. Filters by span or field would need a regular expression engine.
    pub(crate) fn log_filter(&mut self) -> Option<Targets> {
        let (name, value) = self.first(&["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"])?;
        // Lambda has levels that `tracing` does not know.
        let value = if value.eq_ignore_ascii_case("fatal") { "error".to_owned() } else { value };
        match value.parse() {
            Ok(filter) => Some(filter),
            Err(error) => {
                let allowed = "write a level, or `target=level`, several with commas between";
                self.error(name, format!("`{value}` is no log filter ({error}): {allowed}"));
                None
            }
        }
    }
}

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The name of the variable.
    pub name: &'static str,
    /// What was found and what is allowed.
    pub problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.problem)
    }
}

/// All invalid settings as one error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors(pub Vec<SettingsError>);

impl fmt::Display for SettingsErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the settings cannot be used")?;
        self.0.iter().try_for_each(|error| write!(formatter, "\n  {error}"))
    }
}

impl std::error::Error for SettingsErrors {}
