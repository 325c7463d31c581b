//! A call of another service.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::Error;
use lambda_spans::ClientLayer;
use tower::{Layer as _, ServiceExt as _};

/// The service that knows prices.
pub struct Prices {
    client: Client<HttpConnector, Body>,
    url: String,
}

impl Prices {
    pub fn new(url: String) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), url }
    }

    /// Returns the price of an item.
    pub async fn of(&self, item: &str) -> Result<u32, Error> {
        let request = Request::get(format!("{}/prices/{item}?currency=eur", self.url)).body(Body::empty())?;
        let response = ClientLayer.layer(self.client.clone()).oneshot(request).await?;
        if response.status() != StatusCode::OK {
            return Err("no price".into());
        }
        Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
    }
}
