//! Failures in X-Ray's terms: error, fault or throttle, and the cause.

mod stack;

use opentelemetry::trace::{Event, Status};
use opentelemetry::{KeyValue, SpanId};
use opentelemetry_sdk::trace::SpanData;

use super::json::Members;
use super::limits::SizeLimits;
use super::span_attributes::SpanAttributes;
use crate::attributes::{
    ERROR_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE, HTTP_RESPONSE_STATUS_CODE, former,
};

const EXCEPTION: &str = "exception";

/// The maximum length of an exception type in bytes.
const MAX_TYPE: usize = 250;

/// The error codes by which AWS services report throttling, as in the AWS SDK's retry classifier. Codes that begin with
/// `Throttl` are recognized by that.
const THROTTLES: [&str; 11] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// X-Ray's three flags. Several can be set. X-Ray's console counts by flag, so a 4xx sets `error` although
/// OpenTelemetry does not call it an error.
#[derive(Clone, Copy)]
pub(super) struct SpanFailure {
    /// The server failed.
    fault: bool,
    /// The client's request was wrong.
    error: bool,
    throttle: bool,
    from_status: bool,
}

impl SpanFailure {
    pub(super) fn new(span: &SpanData, attributes: &SpanAttributes<'_>) -> Self {
        let code =
            attributes.integer(HTTP_RESPONSE_STATUS_CODE).or_else(|| attributes.integer(former::HTTP_STATUS_CODE));
        let throttle = code == Some(429) || attributes.text(ERROR_TYPE).is_some_and(is_throttle);
        let of_server = code.is_some_and(|code| (500..600).contains(&code));
        // AWS services report throttling with status 400.
        let error = throttle || code.is_some_and(|code| (400..500).contains(&code));
        let failed = matches!(span.status, Status::Error { .. });
        let fault = of_server || (failed && !error);
        let from_status = (fault || error) && !span.events.iter().any(is_exception);
        Self { fault, error, throttle, from_status }
    }

    fn is_set(self) -> bool {
        self.fault || self.error || self.throttle
    }

    /// Returns whether the cause comes from the span's status because there is no exception event.
    pub(super) fn is_from_status(self) -> bool {
        self.from_status
    }

    /// Returns whether `event` is an exception that the cause describes completely.
    pub(super) fn covers(self, event: &Event) -> bool {
        let is_covered = |attribute: &KeyValue| match attribute.key.as_str() {
            EXCEPTION_TYPE | EXCEPTION_MESSAGE => true,
            EXCEPTION_STACKTRACE => stack::frames(&attribute.value.as_str()).next().is_some(),
            _ => false,
        };
        self.is_set() && is_exception(event) && event.attributes.iter().all(is_covered)
    }

    pub(super) fn write_flags(self, document: &mut Members<'_>) {
        for (flag, up) in [("fault", self.fault), ("error", self.error), ("throttle", self.throttle)] {
            if up {
                document.bool_true(flag);
            }
        }
    }

    /// Writes the flags and the cause. An exception on a span that did not fail was handled: it is an event, not a
    /// cause. `remote` says that the failure happened at the other end of a call.
    pub(super) fn write(
        self,
        document: &mut Members<'_>,
        span: &SpanData,
        attributes: &SpanAttributes<'_>,
        remote: bool,
        limits: &SizeLimits,
    ) {
        self.write_flags(document);
        if !self.is_set() {
            return;
        }
        let recorded = span.events.iter().filter(|event| is_exception(event)).map(Exception::from_event);
        let exceptions = recorded.chain(self.from_status.then(|| Exception::from_status(span, attributes)).flatten());
        document.object("cause", |cause| {
            let numbered = (0..).zip(exceptions);
            cause.list("exceptions", numbered, limits.list, |members, (index, exception)| {
                members.text("id", &exception_id(span, index).to_string(), usize::MAX);
                exception.write(members, remote, limits);
            });
        });
    }
}

fn is_exception(event: &Event) -> bool {
    event.name == EXCEPTION
}

fn is_throttle(error_type: &str) -> bool {
    error_type.starts_with("Throttl") || THROTTLES.contains(&error_type)
}

/// Unique within the trace like the span's id, and the same each time the document is written.
fn exception_id(span: &SpanData, index: u64) -> SpanId {
    let id = u64::from_be_bytes(span.span_context.span_id().to_bytes());
    SpanId::from(id ^ (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[derive(Default)]
struct Exception {
    name: Option<String>,
    message: Option<String>,
    stack: Option<String>,
}

impl Exception {
    fn from_event(event: &Event) -> Self {
        let mut exception = Self::default();
        for attribute in &event.attributes {
            let text = || Some(attribute.value.as_str().into_owned());
            match attribute.key.as_str() {
                EXCEPTION_TYPE => exception.name = text(),
                EXCEPTION_MESSAGE => exception.message = text(),
                EXCEPTION_STACKTRACE => exception.stack = text(),
                _ => {}
            }
        }
        exception
    }

    fn from_status(span: &SpanData, attributes: &SpanAttributes<'_>) -> Option<Self> {
        let name = attributes.get(ERROR_TYPE).map(|value| value.as_str().into_owned());
        let message = match &span.status {
            Status::Error { description } if !description.is_empty() => Some(description.clone().into_owned()),
            Status::Error { .. } | Status::Ok | Status::Unset => None,
        };
        (name.is_some() || message.is_some()).then_some(Self { name, message, stack: None })
    }

    fn write(self, members: &mut Members<'_>, remote: bool, limits: &SizeLimits) {
        // X-Ray's console lists exceptions by message.
        if let Some(message) = self.message.as_ref().or(self.name.as_ref()) {
            members.text("message", message, limits.inner());
        }
        if let Some(name) = self.name {
            members.text("type", &name, MAX_TYPE);
        }
        if remote {
            members.bool_true("remote");
        }
        if let Some(stack) = self.stack {
            stack::write(members, &stack, limits);
        }
    }
}
