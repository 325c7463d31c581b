//! Spans as they are kept: one span has up to two sides, what arrived over OTLP and what X-Ray got.

pub(crate) mod cost;
pub(crate) mod ids;
pub(crate) mod keys;
pub(crate) mod prices;
pub(crate) mod span;
pub(crate) mod status;
pub(crate) mod summary;
pub(crate) mod trace;
pub(crate) mod value;
