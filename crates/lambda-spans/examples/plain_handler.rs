//! A function that takes any JSON. `app.*` attributes and spans of one's own are all that its handler has of tracing.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tracing::{Instrument as _, info_span};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_spans::run_event(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let items = event.payload.get("items").and_then(Value::as_array).map_or(0, Vec::len);
    let total = price(items).instrument(info_span!("price", app.items = items)).await;
    Ok(json!({ "total": total }))
}

async fn price(items: usize) -> usize {
    items * 3
}
