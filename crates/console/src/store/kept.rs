//! A kept trace with its summary.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use crate::model::summary::Summary;
use crate::model::trace::Trace;

/// A kept trace. It is shared with readers, and copied if it changes while it is read.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    trace: Trace,
    summary: OnceLock<Arc<Summary>>,
}

impl Kept {
    pub(super) fn new(trace: Trace) -> Self {
        Self { trace, summary: OnceLock::new() }
    }

    /// Returns the summary, which is computed once after each change.
    pub(crate) fn summary(&self) -> Arc<Summary> {
        self.summary.get_or_init(|| Arc::new(Summary::of(&self.trace))).clone()
    }
}

impl Deref for Kept {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.trace
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Trace {
        self.summary = OnceLock::new();
        &mut self.trace
    }
}
