//! The `signup` function: creates profiles for the user pool.

use std::process::ExitCode;

use cruddur::clock::Clock;
use cruddur::config::{self, TableConfig};
use cruddur::signup;
use cruddur::store::{self, Store};
use lambda_http::lambda_runtime::{Error, LambdaEvent, service_fn};
use lambda_spans::Spans;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run().await.map_or_else(|error| config::cannot_start(&*error), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), Error> {
    let config = TableConfig::from_env()?;
    let spans = Spans::install(config.spans)?;
    let store = Store::new(store::client(&config::aws(&spans).await), config.table_name).checked().await?;
    let clock = Clock::system();
    let confirm = move |event: LambdaEvent<_>| {
        let (store, clock, budget) =
            (store.clone(), clock.clone(), signup::budget(event.context.deadline, clock.now()));
        async move { Ok::<_, Error>(signup::confirm(&store, &clock, event.payload, budget).await?) }
    };
    spans.run_event_concurrent(service_fn(confirm)).await
}
