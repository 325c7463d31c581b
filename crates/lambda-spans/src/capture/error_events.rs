//! `ERROR` events with an error value: they mark their span as failed.
//!
//! `#[instrument(err)]` emits such an event. All other events are log lines only, because receivers bill each span
//! event.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt as _;
use tracing::dispatcher::{WeakDispatch, get_default};
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::trace::exception::Exception;
use crate::trace::hook;

#[derive(Debug, Default)]
pub(crate) struct ErrorEvents {
    dispatch: OnceLock<WeakDispatch>,
}

impl ErrorEvents {
    /// Returns the OpenTelemetry context of the event's span.
    fn context_of<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<opentelemetry::Context>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        if event.is_contextual() {
            return Some(opentelemetry::Context::current());
        }
        let id = context.span(event.parent()?)?.id();
        match self.dispatch.get() {
            Some(dispatch) => get_otel_context(&id, &dispatch.upgrade()?),
            // An `Option` of a layer does not pass the subscriber on, but the global one is known.
            None => get_default(|dispatch| get_otel_context(&id, dispatch)),
        }
    }
}

impl<S> Layer<S> for ErrorEvents
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // A subscriber is registered once.
        self.dispatch.set(dispatch.downgrade()).ok();
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // While a hook runs, the current span may be the one that is ending. It is locked then.
        if *event.metadata().level() != Level::ERROR || hook::is_running() {
            return;
        }
        let mut value = ErrorValue(None);
        event.record(&mut value);
        if let Some(exception) = value.0
            && let Some(context) = self.context_of(event, &context)
        {
            exception.record_on(&context.span());
        }
    }
}

/// The first error among the fields of an event: an `&dyn Error`, or any value of a field named `error` or `err`.
struct ErrorValue(Option<Exception>);

impl Visit for ErrorValue {
    fn record_error(&mut self, _: &Field, error: &(dyn Error + 'static)) {
        self.0.get_or_insert_with(|| Exception::from_error(error));
    }

    // A boolean does not describe an error.
    fn record_bool(&mut self, _: &Field, _: bool) {}

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "error" | "err") {
            self.0.get_or_insert_with(|| Exception::from_text(value));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
