//! The outcome of a span in X-Ray's terms.

use serde::Serialize;

use super::keys;
use super::span::{Span, StatusCode};
use super::trace::Sides;

/// The outcome of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Nothing says how it ended.
    Unset,
    /// It succeeded.
    Ok,
    /// The client's request was wrong: a 4xx status.
    Error,
    /// The server failed: a 5xx status, or OpenTelemetry's status `ERROR`.
    Fault,
    /// The request was throttled: a 429 status.
    Throttle,
}

impl Outcome {
    /// Returns whether the span failed in any way.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Error | Self::Fault | Self::Throttle)
    }
}

/// Returns the outcome of a span. A side that knows nothing leaves the answer to the other one.
pub(crate) fn outcome(sides: &Sides) -> Outcome {
    let of = |span: Option<&Span>| span.map_or(Outcome::Unset, outcome_of);
    match of(sides.otlp().map(AsRef::as_ref)) {
        Outcome::Unset => of(sides.xray().map(AsRef::as_ref)),
        outcome => outcome,
    }
}

fn outcome_of(span: &Span) -> Outcome {
    let code = status_code(span);
    if let Some(segment) = &span.segment {
        let flags = segment.flags;
        return if flags.throttle {
            Outcome::Throttle
        } else if flags.fault {
            Outcome::Fault
        } else if flags.error {
            Outcome::Error
        } else {
            of_code(code)
        };
    }
    let throttled = span.attribute(keys::ERROR_TYPE).and_then(|value| value.str()).is_some_and(is_throttle);
    let failed = span.status == StatusCode::Error;
    if throttled {
        return Outcome::Throttle;
    }
    match of_code(code) {
        Outcome::Unset | Outcome::Ok if failed => Outcome::Fault,
        Outcome::Unset if span.status == StatusCode::Ok => Outcome::Ok,
        outcome => outcome,
    }
}

fn of_code(code: Option<i64>) -> Outcome {
    match code {
        Some(429) => Outcome::Throttle,
        Some(400..500) => Outcome::Error,
        Some(500..600) => Outcome::Fault,
        Some(100..400) => Outcome::Ok,
        _ => Outcome::Unset,
    }
}

/// AWS services report throttling with status 400.
fn is_throttle(error_type: &str) -> bool {
    error_type.starts_with("Throttl")
        || ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "SlowDown", "TooManyRequestsException"]
            .contains(&error_type)
}

/// Returns the status of the HTTP response.
pub(crate) fn status_code(span: &Span) -> Option<i64> {
    span.attribute(keys::HTTP_STATUS)?.integer()
}
