//! The handler with lambda-spans. The environment selects X-Ray and OTLP.

use lambda_runtime::{Error, service_fn};
use lambda_spans::{Settings, SettingsErrors, Spans};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    let spans = Spans::install(Settings::from_env().map_err(SettingsErrors)?)?;
    spans.run_event(service_fn(subject::handle)).await
}
