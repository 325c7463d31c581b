//! The invocations in progress of one process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::TraceId;

use super::invocation::Invocation;

#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Vec<Invocation>>);

impl Running {
    /// Returns the invocation in progress, unless several are in progress.
    pub(crate) fn only(&self) -> Option<Invocation> {
        match self.lock().as_slice() {
            [invocation] => Some(invocation.clone()),
            _ => None,
        }
    }

    pub(crate) fn in_trace(&self, trace_id: TraceId) -> Option<Invocation> {
        self.lock().iter().find(|invocation| invocation.trace_id() == trace_id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Invocation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an invocation among those in progress. It is removed when dropped.
#[derive(Debug)]
pub(crate) struct InvocationRunning {
    running: Arc<Running>,
    invocation: Invocation,
}

impl InvocationRunning {
    pub(crate) fn start(running: &Arc<Running>, invocation: &Invocation) -> Self {
        running.lock().push(invocation.clone());
        Self { running: running.clone(), invocation: invocation.clone() }
    }
}

impl Drop for InvocationRunning {
    fn drop(&mut self) {
        self.running.lock().retain(|other| !other.is(&self.invocation));
    }
}
