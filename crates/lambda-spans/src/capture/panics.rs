//! A panic as a log line: where it was, in which request, and not what it said.

use std::panic;

use tracing::error;

/// Replaces the standard report of a panic, which is no JSON and may quote what a request said.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked");
    }));
}
