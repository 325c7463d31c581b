//! What becomes a span or a log line, and the trace context that outgoing requests carry.

pub(crate) mod aws_sdk;
pub(crate) mod client;
mod endpoint;
pub(crate) mod error_events;
pub(crate) mod init_phase;
pub(crate) mod inject;
pub(crate) mod integers;
pub(crate) mod limits;
pub(crate) mod link;
pub(crate) mod logs;
pub(crate) mod panics;
mod parent;
pub(crate) mod recorder;
pub(crate) mod span_filter;

use opentelemetry::InstrumentationScope;

/// Returns the scope of the spans that this library starts.
fn library_scope() -> InstrumentationScope {
    InstrumentationScope::builder("lambda-spans").with_version(env!("CARGO_PKG_VERSION")).build()
}
