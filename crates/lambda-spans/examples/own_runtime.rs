//! A function that builds its own `Runtime`, starts a task from the handler, and cleans up before the process ends.

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use lambda_spans::{EventLayer, Spans};
use serde_json::{Value, json};
use tower::Layer as _;
use tracing::{Instrument as _, info_span};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let spans = Spans::from_env()?;
    spans.on_shutdown(|| async { tracing::info!("closed the connections") });
    let runtime = Runtime::new(EventLayer.layer(service_fn(handle)));
    spans.start(runtime).await.run().await
}

async fn handle(_: LambdaEvent<Value>) -> Result<Value, Error> {
    // The task has no context of the invocation. Its span is still part of the trace.
    let audit = tokio::spawn(async {}.instrument(info_span!(parent: None, "audit")));
    audit.await?;
    Ok(json!({ "audited": true }))
}
