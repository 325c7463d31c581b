//! An order service that adopts lambda-spans: an API, a queue consumer and a report with an own runtime.

pub mod api;
pub mod calls;
pub mod consumer;
pub mod report;
pub mod senders;
pub mod subscriber;

/// Reads a variable of the function's environment.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
