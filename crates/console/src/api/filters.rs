//! The parameters by which lists and charts are filtered.

use crate::analysis::filter::{Condition, Filter};

/// Adds a parameter to the filter. Returns whether it is one of a filter.
///
/// # Errors
/// With the name of an invalid parameter and what it allows.
pub(crate) fn add(filter: &mut Filter, name: &str, value: &str) -> Result<bool, String> {
    match name {
        "q" => filter.text = Some(value.to_lowercase()),
        "filter" => filter
            .conditions
            .push(Condition::parse(value).ok_or("`filter` must be key=value, key!=value, key>5, key<5, key or !key")?),
        "error" => {
            filter.failed = match value {
                "true" => Some(true),
                "false" => Some(false),
                _ => return Err("`error` must be true or false".to_owned()),
            }
        }
        "min_duration" => filter.min_duration = Some(number(name, value)?),
        "max_duration" => filter.max_duration = Some(number(name, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Parses a decimal number.
///
/// # Errors
/// With the name of the parameter.
pub(crate) fn number(name: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_error| format!("`{name}` must be a decimal number"))
}
