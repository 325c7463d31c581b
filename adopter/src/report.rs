//! The report on orders. Its handler is wrapped in layers of tower.

use std::time::Duration;

use lambda_runtime::tower::{BoxError, Service, ServiceBuilder};
use lambda_runtime::{Error, LambdaEvent};
use lambda_spans::EventLayer;
use serde_json::{Value, json};
use tower::timeout::TimeoutLayer;
use tracing::{Instrument as _, info_span};

/// The longest time for one report.
const LIMIT: Duration = Duration::from_millis(500);

/// Returns the handler with its layers. The layer of lambda-spans is outermost, so that it sees the timeout.
pub fn handler() -> impl Service<
    LambdaEvent<Value>,
    Response = Value,
    Error = BoxError,
    Future = impl Future<Output = Result<Value, BoxError>>,
> {
    ServiceBuilder::new().layer(EventLayer).layer(TimeoutLayer::new(LIMIT)).service_fn(report)
}

async fn report(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let wait = async {
        if event.payload["slow"] == true {
            std::future::pending::<()>().await;
        }
    };
    let customer = event.payload["customer"].as_str();
    wait.instrument(info_span!("read orders", app.customer = customer)).await;
    Ok(json!({ "orders": 3 }))
}
