//! A handler that calls DynamoDB, with lambda-spans.

use aws_sdk_dynamodb::{Client, config};
use lambda_runtime::{Error, service_fn};
use lambda_spans::{AwsSdkSpans, Spans};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    let spans = Spans::from_env()?;
    let shared = aws_config::from_env().http_client(spans.http_client()).load().await;
    let client = Client::from_conf(config::Builder::from(&shared).interceptor(AwsSdkSpans).build());
    let handler = service_fn(move |event| {
        let client = client.clone();
        async move {
            client.get_item().table_name("cruddur").send().await?;
            subject::handle(event).await
        }
    });
    spans.run_event(handler).await
}
