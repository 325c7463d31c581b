//! Reads environment variables. An unusable value is a warning, because tracing never stops a function.

pub(crate) mod url;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tracing_subscriber::filter::Targets;

use url::Url;

/// The longest value that a warning repeats.
const SHOWN: usize = 100;

/// Returns the value of an environment variable.
#[expect(clippy::disallowed_methods, reason = "the one place where this library reads the environment")]
pub(crate) fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the paths in an environment variable.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "the one place where this library reads the environment")]
pub(crate) fn process_paths(name: &str) -> Vec<PathBuf> {
    let paths = std::env::var_os(name).unwrap_or_default();
    std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// Returns the names of all environment variables, each with whether its value is UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place where this library reads the environment")]
pub(crate) fn process_variables() -> impl Iterator<Item = (String, bool)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_str().is_some())))
}

/// An environment variable that is invalid or has no effect, and the reason. The unusable part counts as unset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsWarning {
    /// The name of the variable.
    pub variable: String,
    /// The value that was found and the allowed values, or the variable to use instead. It repeats no value that may
    /// be a secret.
    pub problem: String,
}

impl fmt::Display for SettingsWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.variable, self.problem)
    }
}

/// Looks up variables and collects warnings until [`finish`](Self::finish).
pub(crate) struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    asked: RefCell<BTreeSet<String>>,
    warnings: Vec<SettingsWarning>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, asked: RefCell::default(), warnings: Vec::new() }
    }

    /// Returns the warnings and the names of all variables that were looked up.
    pub(crate) fn finish(self) -> (Vec<SettingsWarning>, BTreeSet<String>) {
        (self.warnings, self.asked.into_inner())
    }

    /// Records why a variable has no effect.
    pub(crate) fn warn(&mut self, name: &str, problem: impl Into<String>) {
        self.warnings.push(SettingsWarning { variable: name.to_owned(), problem: problem.into() });
    }

    /// Returns the value of a variable; an empty value counts as unset.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Returns the first of several variables that is set, with its name.
    pub(crate) fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.text(name)?)))
    }

    /// Returns the first usable value of several variables. An unusable value counts as unset.
    pub(crate) fn parsed<T>(&mut self, names: &[&'static str], parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        for name in names {
            let Some(value) = self.text(name) else { continue };
            match parse(&value) {
                Ok(parsed) => return Some(parsed),
                Err(problem) => self.warn(name, problem),
            }
        }
        None
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        self.choice(&[name], &[("true", true), ("false", false)]).unwrap_or_default()
    }

    /// Parses one of several words, in any case, into its meaning.
    pub(crate) fn choice<T: Copy>(&mut self, names: &[&'static str], choices: &[(&str, T)]) -> Option<T> {
        self.parsed(names, |value| {
            let choice = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
            choice.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let allowed = choices.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                format!("found {}; allowed are {allowed}", shown(value))
            })
        })
    }

    pub(crate) fn milliseconds(&mut self, names: &[&'static str]) -> Option<Duration> {
        self.parsed(names, |value| {
            let milliseconds = value.parse().ok().map(Duration::from_millis);
            milliseconds.ok_or_else(|| format!("found {}; allowed is a whole number of milliseconds", shown(value)))
        })
    }

    /// Parses an integer of at least 1.
    pub(crate) fn count(&mut self, names: &[&'static str]) -> Option<u64> {
        self.parsed(names, |value| match value.parse() {
            Ok(0) | Err(_) => Err(format!("found {}; allowed is a whole number from 1", shown(value))),
            Ok(count) => Ok(count),
        })
    }

    pub(crate) fn url(&mut self, names: &[&'static str]) -> Option<Url> {
        self.parsed(names, |value| {
            Url::parse(value).ok_or_else(|| {
                let shown = shown(value.rsplit('@').next().unwrap_or(value));
                format!("found {shown}; allowed is a URL that begins with http:// or https:// and names a host")
            })
        })
    }

    /// Parses `key=value,key=value` with percent-encoded values, in the order of the entries. A warning names the
    /// position of an entry but not its content, because it may be a secret.
    pub(crate) fn pairs(&mut self, name: &'static str) -> Vec<(usize, String, String)> {
        let mut pairs = Vec::new();
        let entries = self.text(name).unwrap_or_default();
        for (index, entry) in entries.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty()) {
            let position = index + 1;
            let decoded = entry.split_once('=').map(|(key, value)| (key.trim(), percent_decode_str(value.trim())));
            match decoded.map(|(key, value)| (key, value.decode_utf8())) {
                Some(("", _)) => self.warn(name, format!("entry {position} is ignored: it has no key before `=`")),
                Some((key, Ok(value))) => pairs.push((position, key.to_owned(), value.into_owned())),
                Some((_, Err(_))) => {
                    self.warn(name, format!("entry {position} is ignored: it is not UTF-8 once decoded"));
                }
                None => self.warn(
                    name,
                    format!("entry {position} is ignored: it has no `=`; write `key=value`, separated by commas"),
                ),
            }
        }
        pairs
    }

    /// Warns of variables that this library does not support, each with what to use instead.
    pub(crate) fn unsupported(&mut self, variables: &[(&str, &str)]) {
        for (name, instead) in variables {
            if self.text(name).is_some() {
                self.warn(name, format!("this variable is not supported; {instead}"));
            }
        }
    }

    /// Parses `host:port`, or the daemon's other form `tcp:host:port udp:host:port`.
    pub(crate) fn daemon_address(&mut self, name: &'static str) -> Option<String> {
        self.parsed(&[name], |value| {
            let address = value.split_whitespace().find_map(|part| part.strip_prefix("udp:")).unwrap_or(value);
            let valid =
                address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            valid.then(|| address.to_owned()).ok_or_else(|| {
                format!("found {}; allowed are `host:port` and `tcp:host:port udp:host:port`", shown(value))
            })
        })
    }

    /// Parses levels by target. Filters by span or field would need a regular expression engine.
    pub(crate) fn log_filter(&mut self) -> Option<Targets> {
        self.parsed(&["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"], |value| {
            // Lambda has levels that `tracing` does not know.
            let filter = if value.eq_ignore_ascii_case("fatal") { "error" } else { value };
            filter.parse().ok().ok_or_else(|| {
                format!("found {}; allowed are levels and `target=level`, separated by commas", shown(value))
            })
        })
    }
}

/// Quotes a value for a warning.
pub(crate) fn shown(value: &str) -> String {
    let end = value.floor_char_boundary(SHOWN);
    let (begin, rest) = value.split_at(end);
    format!("`{begin}`{}", if rest.is_empty() { "" } else { " (shortened)" })
}
