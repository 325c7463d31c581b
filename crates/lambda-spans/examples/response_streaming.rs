//! A response that is sent while it is made, behind a function URL in `RESPONSE_STREAM` mode.
//!
//! The invocation's span ends with the body. What the body does is below it.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use tracing::{Instrument as _, info_span};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_spans::run_streaming(Router::new().route("/report", get(report))).await
}

async fn report() -> Body {
    let pages = stream::unfold(1, |number: u32| async move {
        let page = page(number).instrument(info_span!("page", app.page = number)).await?;
        Some((Ok::<_, Infallible>(page), number + 1))
    });
    Body::from_stream(pages)
}

async fn page(number: u32) -> Option<Bytes> {
    (number <= 10).then(|| Bytes::from(format!("page {number}\n")))
}
