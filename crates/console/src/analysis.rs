//! What the page shows of a trace. Everything is computed here; the page only draws.

pub(crate) mod bill;
pub(crate) mod clock_skew;
pub(crate) mod columns;
pub(crate) mod comparison;
pub(crate) mod critical_path;
pub(crate) mod explanation;
pub(crate) mod filter;
pub(crate) mod groups;
pub(crate) mod heat_map;
pub(crate) mod honeycomb;
pub(crate) mod otlp_export;
pub(crate) mod population;
pub(crate) mod route_costs;
pub(crate) mod side_by_side;
pub(crate) mod span_names;
pub(crate) mod statistics;
pub(crate) mod telling;
pub(crate) mod trace_view;
pub(crate) mod tree;
pub(crate) mod xray;
