//! Finds the invocation of an OpenTelemetry context.
//!
//! The context contains it, except for spans with `parent: None`, under a fresh context, and in spawned tasks. Their
//! children and log lines find the invocation by the id of the open span. That map is global, because a context is all
//! that a log line has.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt as _, TraceId};

use super::invocation::Invocation;

static DETACHED: LazyLock<Mutex<HashMap<SpanId, Invocation>>> = LazyLock::new(Mutex::default);

/// Returns the invocation of the calling code.
pub(crate) fn current() -> Option<Invocation> {
    Context::map_current(of)
}

/// Returns the invocation of a context, or of the detached span in it.
pub(crate) fn of(context: &Context) -> Option<Invocation> {
    let invocation = context.get::<Invocation>().cloned();
    invocation.or_else(|| of_span(context.span().span_context().span_id())).map(Invocation::resolved)
}

fn of_span(span: SpanId) -> Option<Invocation> {
    if span == SpanId::INVALID { None } else { spans().get(&span).cloned() }
}

/// Returns the trace id of the current invocation or request: 32 lowercase hexadecimal digits.
///
/// It identifies the trace over OTLP: Lambda's own id, or the id of the caller or sender if its trace is continued
/// ([`ContextMode::Caller`](crate::ContextMode::Caller)). Returns `None` outside of an invocation.
pub fn trace_id() -> Option<String> {
    Context::map_current(otlp_trace_id).map(|id| id.to_string())
}

/// Returns the trace id of the span of a context over OTLP.
fn otlp_trace_id(context: &Context) -> Option<TraceId> {
    Some(of(context)?.otlp_trace_id_at(context.span().span_context().span_id()))
}

/// Returns the request id that Lambda gave to the current invocation, as in its own log lines.
///
/// Returns `None` outside of an invocation.
pub fn request_id() -> Option<String> {
    current().map(|invocation| invocation.request_id().to_owned())
}

/// Leaves the current invocation or request out of OTLP unless it fails. A [server](crate::Spans::server) also leaves it
/// out of X-Ray; in Lambda, X-Ray makes its own decision. Has no effect outside of an invocation.
///
/// For a request that is about traces itself, such as one that carries the spans of a web page.
pub fn exclude_from_otlp() {
    if let Some(invocation) = current() {
        invocation.exclude();
    }
}

/// The entry of a span. It is removed when dropped.
#[derive(Debug)]
pub(crate) struct Detached(SpanId);

impl Detached {
    pub(crate) fn new(span: SpanId, invocation: &Invocation) -> Self {
        spans().insert(span, invocation.clone());
        Self(span)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        // Dropped after the lock, because it may be the last reference to the invocation.
        let removed = spans().remove(&self.0);
        drop(removed);
    }
}

fn spans() -> MutexGuard<'static, HashMap<SpanId, Invocation>> {
    DETACHED.lock().unwrap_or_else(PoisonError::into_inner)
}
