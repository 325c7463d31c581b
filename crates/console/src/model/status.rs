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

    /// Returns `other` if nothing says how the span ended.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Unset { other } else { self }
    }
}

/// Returns the outcome of a span. A side that knows nothing leaves the answer to the other one.
pub(crate) fn outcome(sides: &Sides) -> Outcome {
    let of = |span: Option<&Span>| span.map_or(Outcome::Unset, outcome_of);
    of(sides.otlp().map(AsRef::as_ref)).or(of(sides.xray().map(AsRef::as_ref)))
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
    let by_code = of_code(code);
    if failed && !by_code.is_failure() {
        return Outcome::Fault;
    }
    by_code.or(if span.status == StatusCode::Ok { Outcome::Ok } else { Outcome::Unset })
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
