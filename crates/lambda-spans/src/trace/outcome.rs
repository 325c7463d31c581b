//! Records on the invocation's span how its handler ended.

use std::borrow::Cow;

use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use crate::attributes::ERROR_TYPE;

/// A span whose result is recorded once. Dropped without a result, the work was cancelled.
#[derive(Debug)]
pub(crate) struct HandlerOutcome(Option<Context>);

impl HandlerOutcome {
    pub(crate) fn new(context: Option<Context>) -> Self {
        Self(context)
    }

    /// Returns the context for recording a regular end.
    pub(crate) fn complete(&mut self) -> Option<Context> {
        self.0.take()
    }

    pub(crate) fn failed(&mut self, error_type: impl Into<Cow<'static, str>>) {
        if let Some(context) = self.0.take() {
            record_error(&context, error_type);
        }
    }

    /// Records an error of type `E` by the type's name. Its message may contain private data.
    pub(crate) fn failed_with<E>(&mut self, _: &E) {
        let name = std::any::type_name::<E>();
        // A box hides the type of its content.
        let boxed = name.contains("Box<") || name.starts_with('&');
        self.failed(if boxed { "handler_error" } else { name });
    }

    /// Polls the handler once and records a panic at once, because the code that catches it drops the future much
    /// later.
    pub(crate) fn watch<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let guard = PanicGuard(self);
        let result = work();
        drop(guard);
        result
    }
}

impl Drop for HandlerOutcome {
    fn drop(&mut self) {
        self.failed("cancelled");
    }
}

struct PanicGuard<'a>(&'a mut HandlerOutcome);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed("panic");
        }
    }
}

pub(crate) fn record_error(context: &Context, error_type: impl Into<Cow<'static, str>>) {
    context.span().set_status(Status::error(""));
    context.span().set_attribute(KeyValue::new(ERROR_TYPE, error_type.into()));
}
