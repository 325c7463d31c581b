//! How a process runs: settings, installation, the Lambda runtime and servers, flushing, shutdown.

#[cfg(test)]
mod behavior;
mod cleanup;
pub(crate) mod entry;
pub(crate) mod flush;
pub(crate) mod forward;
pub(crate) mod lambda;
#[cfg(feature = "http")]
pub(crate) mod server;
pub(crate) mod settings;
mod shutdown;
mod snapstart;
pub(crate) mod spans;
mod watchdog;

#[cfg(test)]
mod capture_tests;
