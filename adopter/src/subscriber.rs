//! A subscriber with a layer of the program.

use std::sync::atomic::{AtomicU64, Ordering};

use lambda_spans::{InstallError, Settings, Spans};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The number of warnings and errors so far.
static PROBLEMS: AtomicU64 = AtomicU64::new(0);

/// Counts warnings and errors, as the layer of an error tracker would send them.
struct Problems;

impl<S: Subscriber> Layer<S> for Problems {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            PROBLEMS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Installs tracing and logging with this layer.
pub fn install() -> Result<Spans, InstallError> {
    let settings = Settings::from_env()
        .with_service_version("1.2.3")
        .with_resource_attribute("team", "orders")
        .with_span_hook(|span| {
            // The name of a customer is private.
            if span.attribute("app.customer").is_some() {
                span.set_attribute("app.customer", "REDACTED");
            }
        });
    Spans::install_with(settings, Problems)
}

/// Returns the number of warnings and errors so far.
pub fn problems() -> u64 {
    PROBLEMS.load(Ordering::Relaxed)
}
