//! A thread that rescues an invocation whose handler blocks the runtime, so that the runtime's timers cannot run.
//!
//! It sends to X-Ray only, because a datagram needs no runtime.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use crate::export::pipeline::Pipeline;
use crate::trace::invocation::Invocation;

#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: OnceLock<()>,
}

#[derive(Debug, Default)]
struct Shared {
    watch: Mutex<Watch>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Watch {
    watched: Option<(Instant, Invocation)>,
    /// When the thread wakes. Later deadlines need no wake-up.
    wakes: Option<Instant>,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default(), thread: OnceLock::new() }
    }

    /// Rescues `invocation` at `at` unless it has ended by then.
    pub(crate) fn watch(&self, at: Instant, invocation: Invocation, pipeline: &Arc<Pipeline>) {
        self.thread.get_or_init(|| {
            let (shared, pipeline) = (self.shared.clone(), pipeline.clone());
            // Without the thread, an invocation that blocks the runtime leaves no trace.
            thread::Builder::new().name("lambda-spans".to_owned()).spawn(move || shared.guard(&pipeline)).ok();
        });
        let mut watch = self.shared.lock();
        watch.watched = Some((at, invocation));
        if watch.wakes.is_none_or(|wakes| at < wakes) {
            self.shared.changed.notify_one();
        }
    }

    pub(crate) fn forget(&self) {
        self.shared.lock().watched = None;
    }
}

impl Shared {
    fn guard(&self, pipeline: &Pipeline) {
        let mut watch = self.lock();
        loop {
            let now = Instant::now();
            match watch.watched.as_ref().map(|(at, _)| *at) {
                None => {
                    watch.wakes = None;
                    watch = self.changed.wait(watch).unwrap_or_else(PoisonError::into_inner);
                }
                Some(at) if now < at => {
                    watch.wakes = Some(at);
                    let waited = self.changed.wait_timeout(watch, at - now);
                    watch = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => {
                    let watched = watch.watched.take();
                    drop(watch);
                    if let Some((_, invocation)) = watched {
                        pipeline.rescue_from_thread(&invocation);
                    }
                    watch = self.lock();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
