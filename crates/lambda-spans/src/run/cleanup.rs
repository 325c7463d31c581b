//! The program's own work before Lambda ends the process.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Steps in the order of their registration.
#[derive(Default)]
pub(super) struct Cleanup(Mutex<Vec<Step>>);

type Step = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

impl fmt::Debug for Cleanup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cleanup").field("steps", &self.steps().len()).finish()
    }
}

impl Cleanup {
    pub(super) fn add<F>(&self, step: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.steps().push(Box::new(move || Box::pin(step())));
    }

    pub(super) fn is_needed(&self) -> bool {
        !self.steps().is_empty()
    }

    pub(super) async fn run(&self) {
        let steps = std::mem::take(&mut *self.steps());
        for step in steps {
            step().await;
        }
    }

    fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
