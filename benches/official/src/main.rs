//! The handler with `lambda_runtime`'s OpenTelemetry layer, configured as in its example, and a batch processor for each
//! of two exporters: OTLP and the X-Ray daemon.

use lambda_runtime::layers::{OpenTelemetryFaasTrigger, OpenTelemetryLayer};
use lambda_runtime::{Error, Runtime, service_fn};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_aws::xray_exporter::XrayExporter;
use opentelemetry_aws::xray_exporter::daemon_client::XrayDaemonClient;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

// The flush blocks the thread in any runtime, so one thread is the cheapest.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("three-spans").build())
        .with_id_generator(XrayIdGenerator::default())
        .with_batch_exporter(SpanExporter::builder().with_http().build()?)
        .with_batch_exporter(XrayExporter::new(XrayDaemonClient::default()))
        .build();
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("three-spans")))
        .init();
    let flush = || {
        // The SDK logs failures.
        provider.force_flush().ok();
    };
    let layer = OpenTelemetryLayer::new(flush).with_trigger(OpenTelemetryFaasTrigger::Http);
    Runtime::new(service_fn(subject::handle)).layer(layer).run().await
}
