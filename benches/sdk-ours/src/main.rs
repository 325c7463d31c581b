//! The handler that asks DynamoDB, with lambda-spans.

use aws_sdk_dynamodb::{Client, config};
use lambda_runtime::{Error, Runtime, service_fn};
use lambda_spans::{AwsSdkSpans, Faults, Settings, Spans};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    let spans = Spans::install(Settings::from_env().map_err(Faults)?)?;
    let config = config::Builder::from(&aws_config::load_from_env().await).interceptor(AwsSdkSpans::default()).build();
    let client = Client::from_conf(config);
    Runtime::new(service_fn(|event| async {
        client.get_item().table_name("cruddur").send().await?;
        subject::handle(event).await
    }))
    .layer(spans.lambda_layer())
    .run()
    .await
}
