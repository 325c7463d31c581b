//! The routes of the API.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use lambda_spans::ErrorType;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use crate::calls::Prices;
use crate::senders;

/// What the handlers use.
pub struct Clients {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub sns: aws_sdk_sns::Client,
    pub eventbridge: aws_sdk_eventbridge::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub prices: Prices,
    pub table: String,
    pub queue_url: String,
}

#[derive(Deserialize, Serialize)]
pub struct Order {
    pub item: String,
    pub quantity: u32,
}

/// An error, as a response.
pub struct Problem(StatusCode, &'static str);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Extension(ErrorType(self.1.into())), self.1).into_response()
    }
}

pub fn router(clients: Clients) -> Router {
    Router::new()
        .route("/orders", post(create))
        .route("/orders/{id}", get(show))
        .route("/orders/{id}/announcements", post(announce))
        .with_state(Arc::new(clients))
}

/// Asks for the price, stores the order and queues its delivery.
#[instrument(skip_all, fields(app.quantity = order.quantity))]
async fn create(
    State(clients): State<Arc<Clients>>,
    Json(order): Json<Order>,
) -> Result<(StatusCode, String), Problem> {
    let unavailable = Problem(StatusCode::SERVICE_UNAVAILABLE, "prices_unavailable");
    let price = clients.prices.of(&order.item).await.map_err(|_| unavailable)?;
    let total = price * order.quantity;
    let put = clients.dynamodb.put_item().table_name(&clients.table);
    let put = put.item("id", AttributeValue::S("42".to_owned())).item("total", AttributeValue::N(total.to_string()));
    put.send().await.map_err(|_| Problem(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"))?;
    let message = json!({ "id": "42", "item": order.item }).to_string();
    let sent = senders::send_message(&clients.sqs, &clients.queue_url, &message).await;
    sent.map_err(|_| Problem(StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable"))?;
    Ok((StatusCode::CREATED, total.to_string()))
}

#[instrument(skip_all)]
async fn show(State(clients): State<Arc<Clients>>, Path(id): Path<String>) -> Result<String, Problem> {
    let get = clients.dynamodb.get_item().table_name(&clients.table).key("id", AttributeValue::S(id));
    let found = get.send().await.map_err(|_| Problem(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"))?;
    let total = found.item.as_ref().and_then(|item| item.get("total")?.as_n().ok());
    total.cloned().ok_or(Problem(StatusCode::NOT_FOUND, "no_such_order"))
}

/// Announces an order to other systems.
#[instrument(skip_all)]
async fn announce(State(clients): State<Arc<Clients>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let order = json!({ "id": id });
    let sent = async {
        let topic = "arn:aws:sns:eu-west-1:123456789012:orders";
        senders::publish(&clients.sns, topic, &order.to_string()).await?;
        senders::put_event(&clients.eventbridge, order.clone()).await?;
        senders::invoke(&clients.lambda, "invoices", order.clone()).await
    };
    sent.await.map_err(|_| Problem(StatusCode::BAD_GATEWAY, "not_announced"))?;
    Ok(StatusCode::ACCEPTED)
}
