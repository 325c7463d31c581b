//! One span in memory, for unit tests of code that describes a span.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};

#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Returns the span that `describe` described.
pub(crate) fn described(describe: impl FnOnce(&Context)) -> SpanData {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
    let context = Context::new().with_span(provider.tracer("test").start("function"));
    describe(&context);
    context.span().end();
    let span = ended.0.lock().unwrap().pop();
    span.unwrap()
}

/// Returns the attributes as `key=value`, sorted. Of two with the same key, the last counts.
pub(crate) fn attributes(span: &SpanData) -> Vec<String> {
    let last: std::collections::BTreeMap<_, _> =
        span.attributes.iter().map(|attribute| (attribute.key.as_str(), attribute.value.to_string())).collect();
    last.iter().map(|(key, value)| format!("{key}={value}")).collect()
}
