//! What becomes a span or a log line, and the trace context that outgoing requests carry.

pub(crate) mod aws_sdk;
pub(crate) mod error_events;
pub(crate) mod init_phase;
pub(crate) mod inject;
pub(crate) mod integers;
pub(crate) mod logs;
pub(crate) mod panics;
pub(crate) mod recorder;
