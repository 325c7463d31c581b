//! What the AWS resources of a trace cost.

use std::ops::AddAssign;

use serde::Serialize;

use super::keys;
use super::prices::prices;
use super::span::{Kind, Span};
use super::trace::{Sides, Trace};

const READS: [&str; 7] =
    ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "ExecuteStatement", "BatchExecuteStatement"];
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// What AWS bills in addition, and no span says.
pub(crate) const NOT_COUNTED: [&str; 7] =
    ["api_gateway", "initialization", "after_response", "logs_and_traces", "storage", "data_transfer", "free_tier"];

/// Consumed units and their price. A mean of several traces has fractions of invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Read request units of DynamoDB.
    pub(crate) read_units: f64,
    /// Write request units of DynamoDB.
    pub(crate) write_units: f64,
    /// Invocations of Lambda, which are its requests.
    pub(crate) invocations: f64,
    /// Milliseconds of Lambda, each invocation rounded up.
    pub(crate) lambda_ms: f64,
    /// Gigabyte-seconds of Lambda on any processor.
    pub(crate) gb_seconds: f64,
    /// Those on arm64.
    pub(crate) gb_seconds_arm64: f64,
    /// The price of a million such traces.
    pub(crate) dollars_per_million: f64,
}

/// One unit of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    /// The name of the unit in the table of prices.
    pub(crate) unit: &'static str,
    /// How much was consumed.
    pub(crate) amount: f64,
    /// The price of a million units.
    pub(crate) price: f64,
    /// The price of a million times the amount.
    pub(crate) dollars_per_million: f64,
}

/// Why a span has no cost although AWS bills its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Missing {
    /// A call of DynamoDB does not say the consumed capacity units.
    CapacityUnits,
    /// An invocation does not say the memory of the function.
    Memory,
    /// An invocation has not ended.
    End,
    /// The service is not in the table of prices.
    Price,
}

impl Cost {
    /// Returns the cost of a trace; `None` if no span says what it consumed.
    pub(crate) fn of(trace: &Trace) -> Option<Self> {
        trace.spans.iter().filter_map(Self::of_span).reduce(|mut sum, cost| {
            sum += cost;
            sum
        })
    }

    /// Returns the cost of a span, by the first side that says it.
    pub(crate) fn of_span(sides: &Sides) -> Option<Self> {
        [sides.otlp(), sides.xray()].into_iter().flatten().find_map(|span| Self::of_side(span).ok().flatten())
    }

    /// Returns the cost of one side, `None` if AWS does not bill the work of the span, or what the span does not say.
    fn of_side(span: &Span) -> Result<Option<Self>, Missing> {
        let mut cost = Self::default();
        if let Some(units) = span.attribute(keys::CAPACITY).and_then(|value| value.number()) {
            let sum = if is_read(span) { &mut cost.read_units } else { &mut cost.write_units };
            *sum = units.max(0.0);
        } else if is_invocation(span) {
            let memory = span.attribute_or_resource(keys::MAX_MEMORY).and_then(|value| value.number());
            let memory = memory.filter(|memory| *memory >= 0.0).ok_or(Missing::Memory)?;
            let end = span.end.ok_or(Missing::End)?;
            cost.invocations = 1.0;
            // Lambda bills whole milliseconds.
            #[expect(clippy::cast_precision_loss, reason = "an invocation takes at most 15 minutes")]
            let milliseconds = end.saturating_sub(span.start).div_ceil(1_000_000) as f64;
            cost.lambda_ms = milliseconds;
            cost.gb_seconds = memory / GIB * milliseconds / 1000.0;
            if span.attribute_or_resource(keys::ARCHITECTURE).and_then(|value| value.str()) == Some("arm64") {
                cost.gb_seconds_arm64 = cost.gb_seconds;
            }
        } else if is_dynamodb(span) {
            return Err(Missing::CapacityUnits);
        } else if is_aws_call(span) {
            return Err(Missing::Price);
        } else {
            return Ok(None);
        }
        cost.dollars_per_million = cost.lines().map(|line| line.dollars_per_million).sum();
        Ok(Some(cost))
    }

    /// Returns the amount and the price of each unit.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line> + use<> {
        let prices = prices().dollars_per_million;
        let lines = [
            ("read_units", self.read_units, prices.read_units),
            ("write_units", self.write_units, prices.write_units),
            ("invocations", self.invocations, prices.invocations),
            ("gb_seconds", self.gb_seconds - self.gb_seconds_arm64, prices.gb_seconds),
            ("gb_seconds_arm64", self.gb_seconds_arm64, prices.gb_seconds_arm64),
        ];
        lines.into_iter().filter(|(_, amount, _)| *amount > 0.0).map(|(unit, amount, price)| Line {
            unit,
            amount,
            price,
            dollars_per_million: amount * price,
        })
    }

    /// Returns the cost divided by a number of traces.
    pub(crate) fn divided(self, by: f64) -> Self {
        Self {
            read_units: self.read_units / by,
            write_units: self.write_units / by,
            invocations: self.invocations / by,
            lambda_ms: self.lambda_ms / by,
            gb_seconds: self.gb_seconds / by,
            gb_seconds_arm64: self.gb_seconds_arm64 / by,
            dollars_per_million: self.dollars_per_million / by,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.read_units += other.read_units;
        self.write_units += other.write_units;
        self.invocations += other.invocations;
        self.lambda_ms += other.lambda_ms;
        self.gb_seconds += other.gb_seconds;
        self.gb_seconds_arm64 += other.gb_seconds_arm64;
        self.dollars_per_million += other.dollars_per_million;
    }
}

/// Returns why a span that AWS bills has no cost.
pub(crate) fn missing(sides: &Sides) -> Option<Missing> {
    if Cost::of_span(sides).is_some() {
        return None;
    }
    [sides.otlp(), sides.xray()].into_iter().flatten().find_map(|span| Cost::of_side(span).err())
}

fn is_invocation(span: &Span) -> bool {
    matches!(span.kind, Kind::Server | Kind::Consumer)
        && span.attribute(&["faas.invocation_id", "faas.trigger"]).is_some()
}

fn is_aws_call(span: &Span) -> bool {
    span.kind == Kind::Client && span.attribute(keys::RPC_SYSTEM).is_some_and(|system| system.text() == "aws-api")
}

fn is_dynamodb(span: &Span) -> bool {
    let is = |keys: &[&str], name: &str| span.attribute(keys).is_some_and(|value| value.text().ends_with(name));
    span.kind == Kind::Client
        && (is(keys::DB_SYSTEM, "dynamodb")
            || is(&["rpc.service"], "DynamoDB")
            || span.attribute(keys::RPC_METHOD).is_some_and(|method| method.text().starts_with("DynamoDB/")))
}

fn is_read(span: &Span) -> bool {
    let method = span.attribute(keys::RPC_METHOD).map(|value| value.text());
    let method = method.as_deref().unwrap_or(&span.name);
    let operation = method.rsplit(['/', '.']).next().unwrap_or(method);
    READS.contains(&operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::value::{Attribute, Value};

    fn with(id: u64, kind: Kind, attributes: &[(&str, Value)]) -> Span {
        let attributes = attributes.iter().map(|(key, value)| Attribute::new(*key, value.clone())).collect();
        Span { kind, attributes, ..span(id, 0, 0, 1_500_001) }
    }

    fn query(id: u64, method: &str, units: f64) -> Span {
        let units = Value::Double(units);
        with(id, Kind::Client, &[("rpc.method", method.into()), ("aws.dynamodb.consumed_capacity_units", units)])
    }

    fn invocation(id: u64, more: &[(&str, Value)]) -> Span {
        let memory = [("faas.trigger", "http".into()), ("faas.max_memory", Value::Int(512 << 20))];
        with(id, Kind::Server, &[&memory, more].concat())
    }

    fn amounts(spans: Vec<Span>) -> Vec<(&'static str, f64)> {
        let cost = Cost::of(&trace(spans)).unwrap_or_default();
        cost.lines().map(|line| (line.unit, line.amount)).collect()
    }

    #[test]
    fn units_of_all_spans_are_summed() {
        let spans = vec![
            query(1, "DynamoDB/Query", 0.5),
            query(2, "DynamoDB/TransactGetItems", 4.0),
            query(3, "DynamoDB/PutItem", 2.0),
            query(4, "DynamoDB/TransactWriteItems", 8.0),
            invocation(5, &[]),
            invocation(6, &[("host.arch", "arm64".into())]),
        ];
        let expected = [
            ("read_units", 4.5),
            ("write_units", 10.0),
            ("invocations", 2.0),
            ("gb_seconds", 0.001),
            ("gb_seconds_arm64", 0.001),
        ];
        assert_eq!(amounts(spans), expected);
    }

    #[test]
    fn parts_sum_to_the_price() {
        let spans = vec![query(1, "DynamoDB/Query", 0.5), query(2, "DynamoDB/PutItem", 2.0), invocation(3, &[])];
        let cost = Cost::of(&trace(spans)).unwrap();
        let sum: f64 = cost.lines().map(|line| line.dollars_per_million).sum();
        let expected = 0.5 * 0.125 + 2.0 * 0.625 + 0.2 + 0.001 * 16.6667;
        assert!((sum - expected).abs() < 1e-12 && (cost.dollars_per_million - expected).abs() < 1e-12, "{cost:?}");
        assert!((cost.lambda_ms - 2.0).abs() < 1e-12);
    }

    #[test]
    fn span_without_its_units_says_what_is_missing() {
        let call = |attributes: &[(&str, Value)]| with(1, Kind::Client, attributes);
        let mut running = invocation(1, &[]);
        running.end = None;
        for (span, expected) in [
            (call(&[("db.system.name", "aws.dynamodb".into())]), Some(Missing::CapacityUnits)),
            (call(&[("rpc.method", "DynamoDB/Query".into())]), Some(Missing::CapacityUnits)),
            (
                call(&[("rpc.system.name", "aws-api".into()), ("rpc.method", "SQS/SendMessage".into())]),
                Some(Missing::Price),
            ),
            (call(&[("db.system.name", "postgresql".into())]), None),
            (with(1, Kind::Server, &[("faas.trigger", "http".into())]), Some(Missing::Memory)),
            (running, Some(Missing::End)),
            (with(1, Kind::Server, &[]), None),
            (query(1, "DynamoDB/Query", 1.0), None),
        ] {
            assert_eq!(missing(&trace([span.clone()]).spans[0]), expected, "{span:?}");
        }
    }
}
