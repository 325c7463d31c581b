//! Records on the invocation's span how its handler ended.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Debug;

use lambda_runtime::Diagnostic;
use opentelemetry::trace::{SpanId, Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use crate::attributes::{ERROR_TYPE, LAMBDA_SPANS_CANCELLED};
use crate::trace::error_type::HandlerError;
use crate::trace::exception::Exception;
use crate::trace::hook;
use crate::trace::invocation::Invocation;

/// The type of a panic, as an error and as an exception.
pub(crate) const PANIC: &str = "panic";

thread_local! {
    /// The last panic of this thread, and the span that has it. Only the panic hook knows what a panic says, and only
    /// the handler's guard knows that the panic left the handler.
    static LAST_PANIC: Cell<Option<(Exception, SpanId)>> = const { Cell::new(None) };
}

/// Records a panic on the innermost open span. The panic hook calls this before the stack unwinds.
pub(crate) fn record_panic(exception: Exception) {
    // The current span may be the one that is ending. It is locked then.
    if hook::is_running() {
        return;
    }
    let context = Context::current();
    record_error(&context, PANIC);
    exception.record_on(&context.span());
    let span = context.span().span_context().span_id();
    // Without thread-local storage, the thread is ending and runs no handler.
    LAST_PANIC.try_with(|last| last.set(Some((exception, span)))).ok();
}

/// A span whose result is recorded once. If it is dropped without a result, the work was canceled.
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

    /// Records an error and its exception.
    pub(crate) fn failed_with<E: Debug + 'static>(&mut self, error: &E) {
        if let Some(context) = self.0.take() {
            HandlerError::of(error).record_on(&context);
        }
    }

    /// Records an error that the runtime reports as a `Diagnostic`, which it returns.
    pub(crate) fn failed_as<E: Debug + Into<Diagnostic> + 'static>(&mut self, error: E) -> Diagnostic {
        let Some(context) = self.0.take() else { return error.into() };
        let (recorded, diagnostic) = HandlerError::diagnosed(error);
        recorded.record_on(&context);
        diagnostic
    }

    /// Polls the handler once and records a panic at once, because the code that catches it drops the future much
    /// later.
    pub(crate) fn watch<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let guard = PanicGuard(self);
        let result = work();
        drop(guard);
        result
    }

    fn panicked(&mut self) {
        let Some(context) = self.0.take() else { return };
        record_error(&context, PANIC);
        // Another hook that replaced ours has not recorded the panic.
        let (exception, recorded_on) =
            LAST_PANIC.take().unwrap_or_else(|| (Exception::new(PANIC, None, None), SpanId::INVALID));
        if context.span().span_context().span_id() != recorded_on {
            exception.record_on(&context.span());
        }
    }
}

impl Drop for HandlerOutcome {
    fn drop(&mut self) {
        let Some(context) = self.0.take() else { return };
        if context.get::<Invocation>().is_some_and(|invocation| invocation.inbound().is_from_lambda()) {
            // Lambda has no client that could disconnect, so the function itself gave up, for example by a timeout.
            record_error(&context, "cancelled");
        } else {
            context.span().set_attribute(KeyValue::new(LAMBDA_SPANS_CANCELLED, true));
        }
    }
}

struct PanicGuard<'a>(&'a mut HandlerOutcome);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked();
        }
    }
}

impl HandlerError {
    fn record_on(self, context: &Context) {
        record_error(context, self.error_type);
        self.exception.record_on(&context.span());
    }
}

pub(crate) fn record_error(context: &Context, error_type: impl Into<Cow<'static, str>>) {
    context.span().set_status(Status::error(""));
    context.span().set_attribute(KeyValue::new(ERROR_TYPE, error_type.into()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::test_span::{attributes, described};

    #[derive(Debug)]
    struct Conflict;

    impl From<Conflict> for Diagnostic {
        fn from(_: Conflict) -> Self {
            Self { error_type: "Conflict".to_owned(), error_message: "canary".to_owned() }
        }
    }

    #[test]
    fn diagnostic_of_an_error_is_recorded_and_returned() {
        let span = described(|context| {
            let diagnostic = HandlerOutcome::new(Some(context.clone())).failed_as(Conflict);
            assert_eq!(diagnostic.error_message, "canary");
        });
        assert_eq!((attributes(&span), span.status), (vec!["error.type=Conflict".to_owned()], Status::error("")));
        assert_eq!(span.events.len(), 1);
    }

    #[test]
    fn error_outside_of_an_invocation_is_returned() {
        assert_eq!(HandlerOutcome::new(None).failed_as(Conflict).error_type, "Conflict");
    }
}
