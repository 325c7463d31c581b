//! The `api` function: HTTP behind API Gateway.

use std::process::ExitCode;

use cruddur::api::{self, AppState, Keys};
use cruddur::clock::Clock;
use cruddur::config::{self, Config, Secret};
use cruddur::store::{self, Store};
use lambda_http::Error;
use lambda_spans::Spans;

// One thread: a function has one request at a time, and parallel queries wait on the network, not on us.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run().await.map_or_else(|error| config::cannot_start(&*error), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), Error> {
    let config = Config::from_env()?;
    let spans = Spans::install(config.spans)?;
    let aws = config::aws(&spans).await;
    let store = Store::new(store::client(&aws), config.table_name);
    // A table that does not answer now may do so when the first request comes.
    let (secret, _warm) = tokio::join!(Secret::read(&aws, &config.secret_arn), store.warm_up());
    let secret = secret?;
    let keys = Keys::new(&secret.current, secret.previous.as_deref());
    spans.run(api::gateway(api::router(AppState { store, clock: Clock::system(), keys }))).await
}
