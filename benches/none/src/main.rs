//! The handler without tracing.

use std::time::Duration;

use lambda_runtime::{Error, Runtime, service_fn};
use tokio::time::sleep;
use tower::layer::layer_fn;
use tower::util::MapFuture;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    if std::env::var_os("PARKED_THREAD").is_some() {
        std::thread::spawn(std::thread::park);
    }
    let runtime = Runtime::new(service_fn(subject::handle));
    // Waiting after the response costs more than the wait, because the next code runs with cold caches. IDLE_MS reproduces
    // that cost without tracing.
    let Some(idle) = std::env::var("IDLE_MS").ok().and_then(|idle| idle.parse().ok()) else {
        return runtime.run().await;
    };
    let idle = Duration::from_millis(idle);
    let waits = layer_fn(move |service| {
        MapFuture::new(service, move |response| async move {
            let response = response.await;
            sleep(idle).await;
            response
        })
    });
    runtime.layer(waits).run().await
}
