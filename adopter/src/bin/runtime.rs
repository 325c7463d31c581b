//! The report on orders, with an own runtime and an own subscriber.

use lambda_runtime::{Error, Runtime};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let spans = adopter::subscriber::install()?;
    spans.on_shutdown(|| async { tracing::info!(problems = adopter::subscriber::problems(), "the process ends") });
    spans.start(Runtime::new(adopter::report::handler())).await.run().await
}
