//! Uses the library's layers in the program's own subscriber.

use axum::Router;
use axum::routing::get;
use lambda_spans::{Settings, Spans};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

async fn item() -> &'static str {
    tracing::debug!("looked up");
    tracing::info!(count = 1, "found");
    "an item"
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let spans = Spans::new(&Settings::from_env());
    Registry::default().with(spans.log_layer().with_filter(LevelFilter::INFO)).with(spans.tracing_layer()).init();
    spans.run(Router::new().route("/items/{id}", get(item))).await
}
