//! The current context in messages and events: SQS, SNS, EventBridge and Lambda.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_lambda::primitives::Blob;
use lambda_runtime::Error;
use lambda_spans::context_pairs;
use serde_json::Value;

/// Sends a message.
pub async fn send_message(client: &aws_sdk_sqs::Client, queue_url: &str, body: &str) -> Result<(), Error> {
    let mut send = client.send_message().queue_url(queue_url).message_body(body);
    for (name, value) in context_pairs() {
        let text = aws_sdk_sqs::types::MessageAttributeValue::builder().data_type("String").string_value(value);
        send = send.message_attributes(name, text.build()?);
    }
    send.send().await?;
    Ok(())
}

/// Publishes a notification.
pub async fn publish(client: &aws_sdk_sns::Client, topic: &str, message: &str) -> Result<(), Error> {
    let mut publish = client.publish().topic_arn(topic).message(message);
    for (name, value) in context_pairs() {
        let text = aws_sdk_sns::types::MessageAttributeValue::builder().data_type("String").string_value(value);
        publish = publish.message_attributes(name, text.build()?);
    }
    publish.send().await?;
    Ok(())
}

/// Puts an event on a bus. The context is part of the detail.
pub async fn put_event(client: &aws_sdk_eventbridge::Client, mut detail: Value) -> Result<(), Error> {
    for (name, value) in context_pairs() {
        detail[name] = value.into();
    }
    let entry = PutEventsRequestEntry::builder().source("orders").detail_type("order.created");
    client.put_events().entries(entry.detail(detail.to_string()).build()).send().await?;
    Ok(())
}

/// Invokes a function. The context is part of the payload.
pub async fn invoke(client: &aws_sdk_lambda::Client, function: &str, mut payload: Value) -> Result<(), Error> {
    for (name, value) in context_pairs() {
        payload[name] = value.into();
    }
    client.invoke().function_name(function).payload(Blob::new(payload.to_string())).send().await?;
    Ok(())
}
