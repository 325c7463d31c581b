//! The handler with lambda-spans. The environment selects X-Ray and OTLP.

use lambda_runtime::{Error, service_fn};
use lambda_spans::Spans;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    let spans = Spans::from_env()?;
    spans.run_event(service_fn(subject::handle)).await
}
