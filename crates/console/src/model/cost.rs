//! What the AWS resources of a trace cost.

use serde::Serialize;

use super::keys;
use super::span::{Kind, Span};
use super::trace::Trace;

/// The prices of `us-east-1` in November 2026, in dollars. On-demand capacity, without free tiers.
pub(crate) mod prices {
    /// The region of the prices.
    pub(crate) const REGION: &str = "us-east-1";
    /// When the prices were looked up.
    pub(crate) const DATE: &str = "2026-11";
    /// A million read request units of DynamoDB.
    pub(crate) const MILLION_READ_UNITS: f64 = 0.125;
    /// A million write request units of DynamoDB.
    pub(crate) const MILLION_WRITE_UNITS: f64 = 0.625;
    /// A million invocations of Lambda.
    pub(crate) const MILLION_INVOCATIONS: f64 = 0.20;
    /// A million gigabyte-seconds of Lambda on x86-64.
    pub(crate) const MILLION_GB_SECONDS: f64 = 16.6667;
    /// A million gigabyte-seconds of Lambda on arm64.
    pub(crate) const MILLION_GB_SECONDS_ARM: f64 = 13.3334;
}

const READS: [&str; 7] =
    ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "ExecuteStatement", "BatchExecuteStatement"];
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// The consumed units of a trace and their price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Read request units of DynamoDB.
    pub(crate) read_units: f64,
    /// Write request units of DynamoDB.
    pub(crate) write_units: f64,
    /// Gigabyte-seconds of Lambda.
    pub(crate) gb_seconds: f64,
    /// The price of a million such traces.
    pub(crate) dollars_per_million: f64,
}

impl Cost {
    /// Returns the cost of a trace; `None` if no span says what it consumed.
    pub(crate) fn of(trace: &Trace) -> Option<Self> {
        let mut cost = Self::default();
        let mut is_known = false;
        for sides in &trace.spans {
            let known = [sides.otlp(), sides.xray()].into_iter().flatten().any(|span| cost.add(span));
            is_known |= known;
        }
        is_known.then_some(cost)
    }

    /// Adds what a span consumed. Returns whether it says so.
    fn add(&mut self, span: &Span) -> bool {
        if let Some(units) = span.attribute(keys::CAPACITY).and_then(|value| value.number()) {
            let (sum, price) = if is_read(span) {
                (&mut self.read_units, prices::MILLION_READ_UNITS)
            } else {
                (&mut self.write_units, prices::MILLION_WRITE_UNITS)
            };
            *sum += units;
            self.dollars_per_million += units * price;
            return true;
        }
        let is_invocation = matches!(span.kind, Kind::Server | Kind::Consumer)
            && span.attribute(&["faas.invocation_id", "faas.trigger"]).is_some();
        let memory = span.attribute_or_resource(keys::MAX_MEMORY).and_then(|value| value.number());
        let (true, Some(memory), Some(end)) = (is_invocation, memory, span.end) else { return false };
        // Lambda bills whole milliseconds.
        #[expect(clippy::cast_precision_loss, reason = "an invocation takes at most 15 minutes")]
        let seconds = end.saturating_sub(span.start).div_ceil(1_000_000) as f64 / 1000.0;
        let arch = span.attribute_or_resource(&["host.arch"]).and_then(|value| value.str());
        let price = if arch == Some("arm64") { prices::MILLION_GB_SECONDS_ARM } else { prices::MILLION_GB_SECONDS };
        self.gb_seconds += memory / GIB * seconds;
        self.dollars_per_million += memory / GIB * seconds * price + prices::MILLION_INVOCATIONS;
        true
    }
}

fn is_read(span: &Span) -> bool {
    let method = span.attribute(keys::RPC_METHOD).map(|value| value.text());
    let method = method.as_deref().unwrap_or(&span.name);
    let operation = method.rsplit(['/', '.']).next().unwrap_or(method);
    READS.contains(&operation)
}
