//! The `stream` function: consumes the table's stream.

use std::process::ExitCode;

use cruddur::clock::Clock;
use cruddur::config::{self, TableConfig};
use cruddur::dead_letters::DeadLetters;
use cruddur::store::{self, Store};
use cruddur::stream::{self, Consumer, StreamEvent};
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
    let dead_letters = config.dead_letters_url.map_or_else(DeadLetters::none, |url| DeadLetters::queue(&aws, &url));
    let store = Store::new(store::client(&aws), config.table_name).with_schedule(config.schedule).checked().await?;
    let (consumer, clock) = (Consumer { store, dead_letters }, Clock::system());
    let consume = move |event: LambdaEvent<StreamEvent>| {
        let (consumer, budget) = (consumer.clone(), stream::budget(event.context.deadline, clock.now()));
        async move { Ok::<_, Error>(consumer.consume(&event.payload, budget).await) }
    };
    spans.run_event_concurrent(service_fn(consume)).await
}
