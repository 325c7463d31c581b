//! The API of orders, behind API Gateway or a function URL.

use adopter::api::{Clients, router};
use adopter::{calls, variable};
use lambda_spans::{AwsSdkSpans, Spans};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let spans = Spans::from_env()?;
    let aws = aws_config::from_env().http_client(spans.http_client()).load().await;
    let dynamodb = aws_sdk_dynamodb::config::Builder::from(&aws).interceptor(AwsSdkSpans).build();
    let sqs = aws_sdk_sqs::config::Builder::from(&aws).interceptor(AwsSdkSpans).build();
    let sns = aws_sdk_sns::config::Builder::from(&aws).interceptor(AwsSdkSpans).build();
    let eventbridge = aws_sdk_eventbridge::config::Builder::from(&aws).interceptor(AwsSdkSpans).build();
    let lambda = aws_sdk_lambda::config::Builder::from(&aws).interceptor(AwsSdkSpans).build();
    let clients = Clients {
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
        sqs: aws_sdk_sqs::Client::from_conf(sqs),
        sns: aws_sdk_sns::Client::from_conf(sns),
        eventbridge: aws_sdk_eventbridge::Client::from_conf(eventbridge),
        lambda: aws_sdk_lambda::Client::from_conf(lambda),
        prices: calls::Prices::new(variable("PRICES_URL")),
        table: variable("TABLE_NAME"),
        queue_url: variable("QUEUE_URL"),
    };
    spans.run(router(clients)).await
}
