//! The local AWS endpoint: DynamoDB, Secrets Manager and the user pool's key set on one port.

use std::error::Error;
use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::uri::{PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::issuer::Issuer;
use crate::secret::MasterSecret;
use crate::{secrets_manager, shard_ids};

/// Limit for request bodies to Secrets Manager, and for bodies with shard ids.
const MAX_SMALL_BODY_BYTES: usize = 64 * 1024;
/// The checksum that DynamoDB's clients verify. They accept a response without it.
const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");

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
    if let Some(operation) = target.and_then(|target| target.strip_prefix(secrets_manager::TARGET_PREFIX)) {
        let operation = operation.to_owned();
        return match to_bytes(request.into_body(), MAX_SMALL_BODY_BYTES).await {
            Ok(body) => secrets_manager::handle(&endpoint.secret, &operation, &body),
            Err(error) => invalid_body(&error),
        };
    }
    if target.is_some_and(|target| shard_ids::TARGETS.contains(&target)) {
        return endpoint.forward_with_shard_ids(request).await;
    }
    endpoint.forward(request).await
}

fn invalid_body(error: &axum::Error) -> Response {
    (StatusCode::BAD_REQUEST, format!("Invalid request body: {error}\n")).into_response()
}

impl Endpoint {
    /// Forwards a request with dynoxide's shard ids, and answers with public ones.
    async fn forward_with_shard_ids(&self, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        let body = match to_bytes(body, MAX_SMALL_BODY_BYTES).await {
            Ok(body) => body,
            Err(error) => return invalid_body(&error),
        };
        remove_lengths(&mut head.headers);
        let body = shard_ids::to_internal(&body).map_or_else(|| Body::from(body), Body::from);
        let (mut head, body) = self.forward(Request::from_parts(head, body)).await.into_parts();
        match to_bytes(body, usize::MAX).await {
            Ok(body) => match shard_ids::to_public(&body) {
                Some(replaced) => {
                    remove_lengths(&mut head.headers);
                    head.headers.remove(CRC32);
                    Response::from_parts(head, Body::from(replaced))
                }
                None => Response::from_parts(head, Body::from(body)),
            },
            Err(error) => unavailable(&error),
        }
    }

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
            Err(error) => unavailable(&error),
        }
    }
}

fn unavailable(error: &dyn Error) -> Response {
    (StatusCode::BAD_GATEWAY, format!("The embedded database is unavailable: {error}\n")).into_response()
}

/// Lets the HTTP library set the length of a replaced body.
fn remove_lengths(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
}
