//! The `stream` function: what follows from changes of the table.

use std::process::ExitCode;

use cruddur::clock::Clock;
use cruddur::config::{self, TableConfig};
use cruddur::store::{self, Store};
use cruddur::stream::{self, Batch};
use lambda_http::lambda_runtime::{Error, LambdaEvent, service_fn};
use lambda_spans::Spans;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run().await.map_or_else(|error| config::cannot_start(&*error), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), Error> {
    let config = TableConfig::from_env()?;
    let spans = Spans::install(config.spans)?;
    let store = Store::new(store::client(&config::aws(&spans).await), config.table_name);
    let clock = Clock::system();
    let consume = move |event: LambdaEvent<Batch>| {
        let (store, limit) = (store.clone(), stream::limit(event.context.deadline, clock.now()));
        async move { Ok::<_, Error>(stream::consume(&store, &event.payload, limit).await) }
    };
    spans.run_event(service_fn(consume)).await
}
