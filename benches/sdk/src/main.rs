//! A handler that calls DynamoDB, without tracing.

use aws_sdk_dynamodb::Client;
use lambda_runtime::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    subject::begin();
    let client = Client::new(&aws_config::load_from_env().await);
    Runtime::new(service_fn(|event| async {
        client.get_item().table_name("cruddur").send().await?;
        subject::handle(event).await
    }))
    .run()
    .await
}
