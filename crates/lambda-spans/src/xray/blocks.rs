//! What X-Ray draws and filters by: the blocks `http`, `aws` and `sql`.
//!
//! What an attribute says in its place in a block is not said again in the metadata.

pub(super) mod aws;
pub(super) mod http;
pub(super) mod sql;
