//! The data of a span that may still be open.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry_sdk::trace::SpanData;

/// The data recorded so far; `None` once the span has ended. Its invocation can read it at any time.
#[derive(Debug)]
pub(crate) struct OpenSpan(Mutex<Option<SpanData>>);

impl OpenSpan {
    pub(crate) fn new(data: SpanData) -> Self {
        Self(Mutex::new(Some(data)))
    }

    /// Returns the span as if it ended at `now`.
    pub(crate) fn snapshot(&self, now: SystemTime) -> Option<SpanData> {
        let mut data = self.lock().clone()?;
        data.end_time = now;
        Some(data)
    }

    /// Locks the data for recording, or for taking it at the span's end.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<SpanData>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
