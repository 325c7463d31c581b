//! The consumer of the queue of orders.

use lambda_runtime::{Error, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_spans::run_event(service_fn(adopter::consumer::consume)).await
}
