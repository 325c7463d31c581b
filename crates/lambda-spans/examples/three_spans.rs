//! An invocation's span and two children with four attributes each: the work that `make bench` measures.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tracing::{Instrument as _, info_span};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_spans::run_event(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let read = info_span!("read", app.table = "items", app.key = "42", app.limit = 20, app.consistent = true);
    let length = async { event.payload.as_object().map_or(0, serde_json::Map::len) }.instrument(read).await;
    let write = info_span!("write", app.table = "items", app.length = length, app.retries = 0, app.changed = false);
    async {}.instrument(write).await;
    Ok(json!({ "length": length }))
}
