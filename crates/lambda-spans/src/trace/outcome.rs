//! How the work of a handler ended, on its invocation's span.

use std::borrow::Cow;

use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use crate::attributes::ERROR_TYPE;

/// The span that is told how its work ended, once. Dropped untold, the work was cancelled.
#[derive(Debug)]
pub(crate) struct HandlerOutcome(Option<Context>);

impl HandlerOutcome {
    pub(crate) fn new(context: Option<Context>) -> Self {
        Self(context)
    }

    /// The context to tell a regular end to.
    pub(crate) fn complete(&mut self) -> Option<Context> {
        self.0.take()
    }

    pub(crate) fn failed(&mut self, error_type: impl Into<Cow<'static, str>>) {
        if let Some(context) = self.0.take() {
            record_error(&context, error_type);
        }
    }

    /// The handler gave an error of type `E`. Its message may hold what is private: the type's name is kept.
    pub(crate) fn failed_with<E>(&mut self, _: &E) {
        let name = std::any::type_name::<E>();
        // A box hides what is in it.
        let boxed = name.contains("Box<") || name.starts_with('&');
        self.failed(if boxed { "handler_error" } else { name });
    }

    /// Does a piece of the work. Whoever catches a panic of it drops the rest much later: it is told here.
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
