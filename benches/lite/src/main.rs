//! The handler with lambda-otel-lite and OTLP. LAMBDA_EXTENSION_SPAN_PROCESSOR_MODE sets the mode.

use lambda_otel_lite::{LambdaSpanProcessor, TelemetryConfig, create_traced_handler, init_telemetry};
use lambda_runtime::{Error, Runtime, service_fn};
use opentelemetry_otlp::SpanExporter;
use tokio::runtime::Builder;

fn main() -> Result<(), Error> {
    subject::begin();
    // In `async` mode the export is a task that blocks its thread. On a single thread, the response would wait for it.
    // The other modes are cheapest with one thread.
    let is_async = std::env::var("LAMBDA_EXTENSION_SPAN_PROCESSOR_MODE").is_ok_and(|mode| mode == "async");
    let mut builder = if is_async { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    builder.enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let exporter = SpanExporter::builder().with_http().build()?;
    let processor = LambdaSpanProcessor::builder().exporter(exporter).build();
    let (_, completion) = init_telemetry(TelemetryConfig::builder().with_span_processor(processor).build()).await?;
    let handler = create_traced_handler("three-spans", completion, subject::handle);
    Runtime::new(service_fn(handler)).run().await
}
