//! The `stream` function: what follows from changes of the table.

use std::process::ExitCode;

use cruddur::clock::Clock;
use cruddur::config::{self, TableConfig};
use cruddur::dead_letters::DeadLetters;
use cruddur::store::{self, Store};
use cruddur::stream::{self, Batch, Consumer};
use lambda_http::lambda_runtime::{Error, LambdaEvent, service_fn};
use lambda_spans::Spans;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run().await.map_or_else(|error| config::cannot_start(&*error), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), Error> {
    let config = TableConfig::from_env()?;
    let spans = Spans::install(config.spans)?;
    let aws = config::aws(&spans).await;
    let letters = config.dead_letters_url.map_or_else(DeadLetters::nobody, |url| DeadLetters::queue(&aws, &url));
    let consumer = Consumer { store: Store::new(store::client(&aws), config.table_name), letters };
    let clock = Clock::system();
    let consume = move |event: LambdaEvent<Batch>| {
        let (consumer, limit) = (consumer.clone(), stream::limit(event.context.deadline, clock.now()));
        async move { Ok::<_, Error>(consumer.consume(&event.payload, limit).await) }
    };
    spans.run_event(service_fn(consume)).await
}
