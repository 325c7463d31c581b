//! Installs the library with further layers: one that reports errors, as Sentry's does, and an optional one.

use std::io::Write as _;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use lambda_spans::{Settings, Spans};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::{Layer, Registry};

/// Reports each event that its filter selects.
struct Reports;

impl<S: Subscriber> Layer<S> for Reports {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let trace_id = lambda_spans::trace_id().unwrap_or_default();
        writeln!(std::io::stdout(), "report {} {trace_id}", event.metadata().level()).ok();
    }
}

async fn fail() -> StatusCode {
    tracing::info!("not reported");
    tracing::error!("reported");
    StatusCode::BAD_GATEWAY
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let absent: Option<Reports> = None;
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
        vec![Reports.with_filter(LevelFilter::ERROR).boxed(), absent.with_filter(LevelFilter::OFF).boxed()];
    let settings = Settings::from_env()
        .with_service_version(env!("CARGO_PKG_VERSION"))
        .with_resource_attribute("deployment.environment.name", "test")
        .with_span_hook(|span| span.set_attribute("app.tenant", "acme"));
    let spans = Spans::install_with(settings, layers)?;
    spans.run(Router::new().route("/items/{id}", get(fail))).await
}
