//! A response that is still being produced while the runtime sends it.
//!
//! The runtime polls such a response in a separate task, outside of the invocation's context.

use std::fmt::Debug;
use std::time::Instant;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue};
use tracing::Span;

use crate::attributes::{HTTP_RESPONSE_BODY_SIZE, HTTP_RESPONSE_TIME_TO_FIRST_BYTE_MS};
use crate::trace::outcome::HandlerOutcome;

/// The state of one streamed response, and its invocation's span.
#[derive(Debug)]
pub(crate) struct Streamed {
    span: Span,
    context: Option<Context>,
    outcome: HandlerOutcome,
    started: Instant,
    sent: u64,
}

impl Streamed {
    /// Begins a response. `invocation` is the span and the context of its invocation.
    pub(crate) fn new(invocation: Option<(Span, Context)>, started: Instant) -> Self {
        let (span, context) = invocation.unzip();
        let outcome = HandlerOutcome::new(context.clone());
        Self { span: span.unwrap_or_else(Span::none), context, outcome, started, sent: 0 }
    }

    /// Polls the response once, inside of its invocation's span.
    pub(crate) fn poll<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let span = self.span.clone();
        let _inside = span.enter();
        self.outcome.watch(poll)
    }

    /// Counts bytes that the runtime sends.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if self.sent == 0 && bytes > 0 {
            self.set(HTTP_RESPONSE_TIME_TO_FIRST_BYTE_MS, self.started.elapsed().as_secs_f64() * 1000.0);
        }
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    pub(crate) fn ended(&mut self) {
        if self.outcome.complete().is_some() {
            self.set(HTTP_RESPONSE_BODY_SIZE, i64::try_from(self.sent).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn failed_with<E: Debug + 'static>(&mut self, error: &E) {
        self.outcome.failed_with(error);
    }

    fn set(&self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        if let Some(context) = &self.context {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }
}
