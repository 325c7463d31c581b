//! Log lines: JSON with the trace, span and request ids.

use std::error::Error;
use std::fmt;
use std::io::Write as _;

use jiff::Timestamp;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::{AsLog as _, LogTracer, NormalizeEvent as _};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context as LayerContext;
use tracing_subscriber::registry::LookupSpan;

use crate::propagation::trace_header::xray_form;
use crate::trace::exception::ExceptionMessages;
pub(crate) use crate::trace::exception::error_chain;
use crate::trace::lookup;

/// The targets of the runtime's error events: handler errors and events that cannot be deserialized.
const RUNTIME: &str = "lambda_runtime::";
/// The target of handler errors. The event's message is the error.
const RUNTIME_HANDLER: &str = "lambda_runtime::layers::panic";

/// JSON lines on standard output, which Lambda collects; on a terminal, text on standard error.
pub(crate) fn layer<S>(terminal: bool, messages: ExceptionMessages) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    if terminal {
        Box::new(tracing_subscriber::fmt::layer().with_target(false).with_writer(std::io::stderr).with_ansi(false))
    } else {
        Box::new(LogLayer { messages })
    }
}

/// Writes each event as one line of JSON on standard output, which Lambda collects.
///
/// [`Spans::install`](crate::Spans::install) adds this layer. For your own subscriber, use it next to
/// [`Spans::tracing_layer`](crate::Spans::tracing_layer), with a filter of your choice. Within an invocation, each line
/// contains `trace_id`, `span_id`, `xray_trace_id` and `requestId`. The ids come from the layer of `Spans`; without it,
/// lines have no ids.
///
/// ```
/// use lambda_spans::{Settings, Spans};
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::{Layer as _, layer::SubscriberExt as _};
///
/// let spans = Spans::new(&Settings::from_env());
/// let subscriber = tracing_subscriber::registry()
///     .with(spans.log_layer().with_filter(LevelFilter::INFO))
///     .with(spans.tracing_layer());
/// # drop(subscriber);
/// ```
// It replaces the layer of `tracing-subscriber`, which formats the fields of every span although no line shows them.
#[derive(Clone, Copy, Debug)]
pub struct LogLayer {
    messages: ExceptionMessages,
}

impl LogLayer {
    /// Creates a layer that writes every message. [`Spans::log_layer`](crate::Spans::log_layer) creates one that follows
    /// `LAMBDA_SPANS_EXCEPTION_MESSAGE`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_messages(ExceptionMessages::Log)
    }

    pub(crate) fn with_messages(messages: ExceptionMessages) -> Self {
        Self { messages }
    }
}

impl Default for LogLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let mut line = String::with_capacity(256);
        if write_line(&mut line, event, self.messages).is_ok() {
            release([line]);
        }
    }
}

/// Formats one event as one line of JSON.
#[expect(clippy::disallowed_methods, reason = "a line says when it was written")]
fn write_line(writer: &mut dyn fmt::Write, event: &Event<'_>, messages: ExceptionMessages) -> fmt::Result {
    let mut fields = Fields { message: String::new(), named: Map::new(), of_log_crate: event.is_log() };
    event.record(&mut fields);
    let normalized = event.normalized_metadata();
    let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
    if messages == ExceptionMessages::None {
        fields.redact(metadata.target());
    }
    // Written by hand, because the order of the fields makes a line readable.
    write!(writer, "{{\"timestamp\":\"{:.3}\",\"level\":\"{}\"", Timestamp::now(), metadata.level())?;
    write!(writer, ",\"message\":{}", json(&fields.message))?;
    write!(writer, ",\"target\":{}", json(metadata.target()))?;
    if !fields.named.is_empty() {
        write!(writer, ",\"fields\":{}", Value::Object(fields.named))?;
    }
    if let Some(invocation) = lookup::current() {
        let span_id = Context::map_current(|context| context.span().span_context().span_id());
        write!(writer, ",\"trace_id\":\"{}\",\"span_id\":\"{span_id}\"", invocation.otlp_trace_id_at(span_id))?;
        write!(writer, ",\"xray_trace_id\":\"{}\"", xray_form(invocation.trace_id()))?;
        write!(writer, ",\"requestId\":{}", json(invocation.request_id()))?;
    }
    writeln!(writer, "}}")
}

/// Buffers the lines below the log level in their invocation, which writes them if it fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    written: LevelFilter,
}

impl Buffer {
    /// Lines at `written` or above are written anyway; only the others are buffered.
    pub(crate) fn new(written: LevelFilter) -> Self {
        Self { written }
    }
}

impl<S: Subscriber> Layer<S> for Buffer {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        if *event.metadata().level() <= self.written {
            return;
        }
        if let Some(invocation) = lookup::current() {
            let mut line = String::new();
            // An error of the runtime is above every level that is buffered.
            if write_line(&mut line, event, ExceptionMessages::Log).is_ok() {
                invocation.buffer_log(line);
            }
        }
    }
}

/// Turns the records of the `log` crate into events, unless the program has installed another logger.
pub(crate) fn bridge_log_crate() {
    // Costs nothing for records below the level of every layer.
    let level = LevelFilter::current().as_log();
    LogTracer::builder().with_max_level(level).init().ok();
}

/// Writes lines to standard output, which Lambda collects.
pub(crate) fn release(lines: impl IntoIterator<Item = String>) {
    let mut stdout = std::io::stdout().lock();
    for line in lines {
        // Without a standard output there is no log.
        stdout.write_all(line.as_bytes()).ok();
    }
}

fn json(text: &str) -> Value {
    Value::from(text)
}

struct Fields {
    message: String,
    named: Map<String, Value>,
    /// Whether the event is a record of the `log` crate. The bridge adds fields for its target and place.
    of_log_crate: bool,
}

impl Fields {
    /// Removes the messages of errors that the runtime logs, because they may quote private data.
    fn redact(&mut self, target: &str) {
        if target == RUNTIME_HANDLER {
            "an error of the handler".clone_into(&mut self.message);
        }
        if target.starts_with(RUNTIME) {
            self.named.remove("error");
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, _) if self.of_log_crate && name.starts_with("log.") => {}
            (name, value) => {
                self.named.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.put(field, Value::from(error_chain(error)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(format!("{value:?}")));
    }
}
