//! The local AWS endpoint: DynamoDB, Secrets Manager and the user pool's key set on one port.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::uri::{PathAndQuery, Scheme};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::issuer::Issuer;
use crate::secret::MasterSecret;
use crate::secrets_manager;

/// Limit for request bodies to Secrets Manager.
const MAX_SECRET_REQUEST_BYTES: usize = 64 * 1024;

#[derive(Clone)]
struct Endpoint {
    database: SocketAddr,
    client: Client<HttpConnector, Body>,
    secret: MasterSecret,
    issuer: Issuer,
}

/// Returns the endpoint's router. It serves `secret` as Secrets Manager and the key set of `issuer` as Cognito, and
/// forwards all other requests to the embedded DynamoDB at `database`.
///
/// It rejects requests from web pages: any page can call loopback ports, and these services need no password here.
pub fn router(database: SocketAddr, secret: MasterSecret, issuer: Issuer) -> Router {
    let mut connector = HttpConnector::new();
    // As on accepted connections: see `http_server`.
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Router::new().fallback(handle).with_state(Endpoint { database, client, secret, issuer })
}

async fn handle(State(endpoint): State<Endpoint>, request: Request) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "Requests from web pages are rejected. Use an AWS client.\n").into_response();
    }
    if request.method() == Method::GET && request.uri().path() == Issuer::key_set_path() {
        return Json(endpoint.issuer.key_set()).into_response();
    }
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.strip_prefix(secrets_manager::TARGET_PREFIX)) {
        Some(operation) => {
            let operation = operation.to_owned();
            match to_bytes(request.into_body(), MAX_SECRET_REQUEST_BYTES).await {
                Ok(body) => secrets_manager::handle(&endpoint.secret, &operation, &body),
                Err(error) => (StatusCode::BAD_REQUEST, format!("Invalid request body: {error}\n")).into_response(),
            }
        }
        None => endpoint.forward(request).await,
    }
}

impl Endpoint {
    async fn forward(&self, mut request: Request) -> Response {
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.database.to_string()).path_and_query(path).build();
        match uri {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        }
        // `Connection` is hop-by-hop.
        request.headers_mut().remove(header::CONNECTION);
        match self.client.request(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                (StatusCode::BAD_GATEWAY, format!("The embedded database is unavailable: {error}\n")).into_response()
            }
        }
    }
}
