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
            // A task, so that a step that panics prevents neither the others nor the end of the process.
            tokio::spawn(async move { step().await }).await.ok();
        }
    }

    fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn step_that_panics_does_not_prevent_the_next() {
        let (cleanup, done) = (Cleanup::default(), Arc::<Mutex<Vec<u8>>>::default());
        let record = |step| {
            let done = done.clone();
            move || async move { done.lock().unwrap().push(step) }
        };
        cleanup.add(record(1));
        cleanup.add(|| async { std::panic::resume_unwind(Box::new("on request")) });
        cleanup.add(record(3));
        cleanup.run().await;
        assert_eq!(*done.lock().unwrap(), [1, 3]);
        assert!(!cleanup.is_needed());
    }
}
