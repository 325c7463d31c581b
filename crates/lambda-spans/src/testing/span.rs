//! One finished span.

use std::time::Duration;

use opentelemetry::trace::{Event, Link, SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::{ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE};

/// A finished span of an invocation.
#[derive(Clone, Debug)]
pub struct RecordedSpan {
    data: SpanData,
}

impl RecordedSpan {
    pub(super) fn new(data: SpanData) -> Self {
        Self { data }
    }

    /// Returns whether it is the span of the invocation itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.data.parent_span_is_remote
    }

    pub(super) fn is_child_of(&self, parent: &Self) -> bool {
        !self.is_root() && self.data.parent_span_id == parent.data.span_context.span_id()
    }

    /// Returns the name, such as `GET /items/{id}`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.data.span_kind.clone()
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.data.status
    }

    /// Returns whether the span failed.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.data.status, Status::Error { .. })
    }

    /// Returns the time from start to end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.data.end_time.duration_since(self.data.start_time).unwrap_or_default()
    }

    /// Returns the attributes.
    #[must_use]
    pub fn attributes(&self) -> &[KeyValue] {
        &self.data.attributes
    }

    /// Returns the value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.data.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
    }

    /// Returns an attribute that is a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.attribute(key) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        }
    }

    /// Returns an attribute that is an integer.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.attribute(key) {
            Some(Value::I64(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns an attribute that is a floating-point number.
    #[must_use]
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.attribute(key) {
            Some(Value::F64(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns an attribute that is a boolean.
    #[must_use]
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.attribute(key) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns `http.route`, such as `/items/{id}`.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.text(HTTP_ROUTE)
    }

    /// Returns `http.response.status_code`.
    #[must_use]
    pub fn status_code(&self) -> Option<u16> {
        self.integer(HTTP_RESPONSE_STATUS_CODE).and_then(|code| u16::try_from(code).ok())
    }

    /// Returns `error.type`.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.text(ERROR_TYPE)
    }

    /// Returns the events, such as exceptions.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.data.events.events
    }

    /// Returns the links, such as those to the senders of a batch.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.data.links.links
    }
}
