//! The handler without any tracing.

use lambda_runtime::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    Runtime::new(service_fn(subject::handle)).run().await
}
