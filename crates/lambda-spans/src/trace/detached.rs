//! Open spans whose OpenTelemetry context does not contain their invocation: spans with `parent: None`, under a fresh
//! context, and in spawned tasks.
//!
//! Their children and log lines find the invocation by the id of the span. The map is global, because a context is all
//! that a log line has.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::SpanId;

use super::invocation::Invocation;

static DETACHED: LazyLock<Mutex<HashMap<SpanId, Invocation>>> = LazyLock::new(Mutex::default);

pub(crate) fn invocation_of(span: SpanId) -> Option<Invocation> {
    if span == SpanId::INVALID { None } else { spans().get(&span).cloned() }
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
