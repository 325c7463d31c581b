//! The core: one invocation, its spans, and what is known about them.

pub(crate) mod accounting;
pub(crate) mod continuation;
pub(crate) mod error_type;
pub(crate) mod exception;
pub(crate) mod finished;
pub(crate) mod hook;
pub(crate) mod http_method;
pub(crate) mod importance;
pub(crate) mod inbound;
pub(crate) mod invocation;
pub(crate) mod lookup;
pub(crate) mod open_span;
pub(crate) mod outcome;
pub(crate) mod running;
pub(crate) mod sampling;
pub(crate) mod size;
pub(crate) mod streamed;
#[cfg(test)]
pub(crate) mod test_span;
pub(crate) mod tree;
