//! Integers that `tracing-opentelemetry` would turn into text: `u64`, `usize`, `u128` and `i128`.
//!
//! OTLP has only signed 64-bit integers. An integer beyond their range becomes the nearest floating-point number, so
//! that an attribute has numbers only.

use std::fmt;

use opentelemetry::trace::noop::NoopTracer;
use tracing::Subscriber;
use tracing::field::{Field, FieldSet, Value, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Records such a field a second time, as a number. The later value of an attribute replaces the earlier one, so this
/// layer has its place after the layer that creates the spans.
pub(crate) struct Integers<S> {
    /// Records fields on spans of the other layer, whether they have started or not. It creates no spans.
    recording: OpenTelemetryLayer<S, NoopTracer>,
}

impl<S> Integers<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    pub(crate) fn new() -> Self {
        Self { recording: tracing_opentelemetry::layer() }
    }

    fn visitor<'a>(&'a self, id: &'a Id, fields: &'a FieldSet, context: Context<'a, S>) -> Visitor<'a, S> {
        Visitor { recording: &self.recording, id, fields, context }
    }
}

impl<S> Layer<S> for Integers<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        attributes.record(&mut self.visitor(id, attributes.metadata().fields(), context));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(metadata) = context.metadata(id) {
            values.record(&mut self.visitor(id, metadata.fields(), context));
        }
    }
}

struct Visitor<'a, S> {
    recording: &'a OpenTelemetryLayer<S, NoopTracer>,
    id: &'a Id,
    fields: &'a FieldSet,
    context: Context<'a, S>,
}

impl<S> Visitor<'_, S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn record_integer(&self, field: &Field, integer: Option<i64>, nearest: f64) {
        let value: &dyn Value = match &integer {
            Some(integer) => integer,
            None => &nearest,
        };
        let value = [(field, Some(value))];
        let values = self.fields.value_set(&value);
        self.recording.on_record(self.id, &Record::new(&values), self.context.clone());
    }
}

impl<S> Visit for Visitor<'_, S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_integer(field, i64::try_from(value).ok(), value as f64);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.record_integer(field, i64::try_from(value).ok(), value as f64);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.record_integer(field, i64::try_from(value).ok(), value as f64);
    }

    // Every other type.
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
