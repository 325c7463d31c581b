//! Requests to HTTP functions.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use lambda_http::{Adapter, IntoResponse};
use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Service, ServiceExt as _};

use super::{Failure, Invocation, Recording};
use crate::http::event;
use crate::run::entry::http::traced;

/// The host of a request without a header `Host`.
const DEFAULT_HOST: &str = "localhost";

/// Sends one request to `service`, as [`run`](crate::run()) does, and returns its spans and its response.
///
/// The request arrives as an event of an API Gateway HTTP API. Its body is `()`, a text or bytes. Its extensions are not
/// passed on.
///
/// ```
/// use axum::{Router, http::StatusCode, routing::put};
/// use lambda_spans::testing;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let router = Router::new().route("/items/{id}", put(|| async { StatusCode::BAD_GATEWAY }));
/// let invocation = testing::http(router, http::Request::put("/items/1").body("an item").unwrap()).await;
/// assert_eq!(invocation.response().status(), 502);
/// assert_eq!(invocation.root().error_type(), Some("502"));
/// # }
/// ```
pub async fn http<'a, R, S, E>(
    service: S,
    request: Request<impl Into<lambda_http::Body>>,
) -> Invocation<Response<Bytes>>
where
    S: Service<lambda_http::Request, Response = R, Error = E>,
    S::Future: Send + 'a,
    R: IntoResponse,
    E: Debug + Into<Diagnostic> + 'static,
{
    Recording::new().http(service, request).await
}

impl Recording {
    /// Sends one request to `service`; see [`http`](crate::testing::http).
    pub fn http<'a, R, S, E, Q>(
        &self,
        service: S,
        request: Request<Q>,
    ) -> impl Future<Output = Invocation<Response<Bytes>>> + use<'a, R, S, E, Q>
    where
        S: Service<lambda_http::Request, Response = R, Error = E>,
        S::Future: Send + 'a,
        R: IntoResponse,
        E: Debug + Into<Diagnostic> + 'static,
        Q: Into<lambda_http::Body>,
    {
        let service = traced(service, self.settings.client_address);
        let handler = Adapter::from(service).map_request(event::with_valid_url);
        let (parts, body) = request.into_parts();
        self.invoke(handler, &gateway_event(parts, body.into())).map(|Invocation { result, spans }| {
            let result = result.and_then(|response| {
                let read = serde_json::to_value(&response).map_err(|error| error.to_string()).and_then(response_of);
                read.map_err(Failure::Unreadable)
            });
            Invocation { result, spans }
        })
    }
}

/// Returns the event of an HTTP API.
fn gateway_event(parts: http::request::Parts, body: lambda_http::Body) -> Value {
    let host = parts.uri.host().unwrap_or(DEFAULT_HOST).to_owned();
    let mut headers = BTreeMap::from([(HOST.as_str().to_owned(), host.clone())]);
    for name in parts.headers.keys() {
        let values: Vec<_> = parts.headers.get_all(name).iter().map(|value| text(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), values.join(","));
    }
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": host,
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": headers.get("user-agent").cloned().unwrap_or_default(),
            },
            "requestId": "request",
            "routeKey": "$default",
            "stage": "$default",
            "time": "28/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_867_200_000_i64,
        },
        "body": BASE64.encode(body.as_ref()),
        "isBase64Encoded": true,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `lambda_http` returns to API Gateway.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayResponse {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn response_of(response: Value) -> Result<Response<Bytes>, String> {
    let response: GatewayResponse = serde_json::from_value(response).map_err(|error| error.to_string())?;
    let body = response.body.unwrap_or_default();
    let body = if response.is_base64_encoded {
        BASE64.decode(body).map_err(|error| error.to_string())?
    } else {
        body.into_bytes()
    };
    let mut headers = HeaderMap::new();
    let cookies = response.cookies.into_iter().map(|cookie| (SET_COOKIE.as_str().to_owned(), cookie));
    for (name, value) in response.headers.into_iter().chain(cookies) {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        headers.append(name, HeaderValue::try_from(value).map_err(|error| error.to_string())?);
    }
    let mut result = Response::new(Bytes::from(body));
    *result.status_mut() = StatusCode::from_u16(response.status_code).map_err(|error| error.to_string())?;
    *result.headers_mut() = headers;
    Ok(result)
}
