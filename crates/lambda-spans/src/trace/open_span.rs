//! The data of a span that may still be open.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry_sdk::trace::SpanData;

use crate::clock::Moment;
use crate::trace::hook::SpanHook;

/// A span in progress. Its invocation can read it at any time.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    /// The data recorded so far; `None` once the span has ended.
    data: Mutex<Option<SpanData>>,
    /// When the recording began.
    began: Moment,
    /// How long the span had lasted by then.
    before: Duration,
    hook: SpanHook,
}

impl OpenSpan {
    pub(crate) fn new(data: SpanData, now: Moment, hook: SpanHook) -> Self {
        let before = now.wall().duration_since(data.start_time).unwrap_or_default();
        Self { data: Mutex::new(Some(data)), began: now, before, hook }
    }

    /// Returns the end of a span that started at `start`. `end` is its end by the wall clock. Only the time between
    /// `end` and `now` is derived from it, because the wall clock may have been set in between.
    pub(crate) fn end(&self, start: SystemTime, end: SystemTime, now: Moment) -> SystemTime {
        let length = self.before + now.exactly_since(self.began);
        let length = match now.wall().duration_since(end) {
            Ok(ago) => length.saturating_sub(ago),
            Err(ahead) => length + ahead.duration(),
        };
        start + length
    }

    /// Passes the ended span to the program's hook. No lock may be held, because the hook may log.
    pub(crate) fn apply_hook(&self, data: &mut SpanData) {
        self.hook.apply(data);
    }

    /// Returns the span as if it ended at `now`, before the hook has seen it.
    pub(crate) fn snapshot(&self, now: Moment) -> Option<SpanData> {
        let mut data = self.lock().clone()?;
        data.end_time = self.end(data.start_time, now.wall(), now);
        Some(data)
    }

    /// Locks the data for recording, or for taking it at the span's end.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<SpanData>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
