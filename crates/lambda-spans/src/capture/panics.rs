//! Logs a panic as JSON with its location and request, but without its message.

use std::panic;

use tracing::error;

/// Replaces the standard panic report, which is not JSON and may quote private data.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked");
    }));
}
