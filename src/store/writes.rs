//! Counts writes, so that a kept answer is not served after a write of the same process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of writes at a moment. It is equal to a later one if nothing was written in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteCount(u64);

/// The writes of all clones of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes(Arc<AtomicU64>);

impl Writes {
    pub(super) fn count(&self) -> WriteCount {
        WriteCount(self.0.load(Ordering::Acquire))
    }

    /// Counts one write, whether or not it succeeds, when the returned value is dropped.
    ///
    /// A read that began before the end of the write may not contain it. A read that begins afterwards does.
    pub(super) fn begin(&self) -> Write<'_> {
        Write(&self.0)
    }
}

/// A write that is under way.
pub(super) struct Write<'a>(&'a AtomicU64);

impl Drop for Write<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}
