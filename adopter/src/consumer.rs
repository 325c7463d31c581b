//! The consumer of the queue.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use tracing::{Instrument as _, info_span};

#[derive(Deserialize)]
struct Delivery {
    id: String,
}

/// Delivers each order of a batch. Lambda retries the messages of failed deliveries.
pub async fn consume(event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for message in event.payload.records {
        let span = info_span!("deliver", otel.kind = "consumer", app.order = tracing::field::Empty);
        lambda_spans::continue_from(&span, &message);
        if let Err(error) = deliver(&message).instrument(span).await {
            tracing::warn!(error, "the delivery is retried");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

async fn deliver(message: &SqsMessage) -> Result<(), Error> {
    let delivery: Delivery = serde_json::from_str(message.body.as_deref().unwrap_or_default())?;
    tracing::Span::current().record("app.order", delivery.id);
    Ok(())
}
