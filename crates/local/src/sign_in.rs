//! `POST /local/sign-in`: returns an access token for a demo user, without a password.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use cruddur::api::{Origins, allow_pages};
use cruddur::clock::Clock;
use cruddur::json;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use crate::issuer::{Issuer, TOKEN_LIFETIME};
use crate::problem::problem;
use crate::seed::USERS;

/// The path of the route.
pub const PATH: &str = "/local/sign-in";
/// From the start of a request to the end of its body. `docs/local.md` names it.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    handle: String,
}

/// Returns the route, which pages of `origins` may call. It exists on the local server only and is not part of the API.
pub fn router(issuer: Issuer, clock: Clock, origins: &[String]) -> Router {
    let origins: Origins = origins.iter().cloned().collect();
    allow_pages(limited(issuer, clock, TIMEOUT), &origins, ["POST"].into_iter())
}

fn limited(issuer: Issuer, clock: Clock, timeout: Duration) -> Router {
    Router::new()
        .route(PATH, post(sign_in))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, None, "Send a POST request with the handle of a demo user.")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(timeout, limit_time))
        .layer(map_response(add_trace_id))
        .with_state((issuer, clock))
}

/// A body that arrives byte by byte would otherwise hold one of the places of running requests.
async fn limit_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let detail = format!("The body did not arrive within {} seconds. Retry.", limit.as_secs());
            problem(StatusCode::REQUEST_TIMEOUT, None, &detail)
        }
    }
}

async fn add_trace_id(mut response: Response) -> Response {
    if let Some(id) = lambda_spans::trace_id().and_then(|id| HeaderValue::try_from(id).ok()) {
        response.headers_mut().insert("x-trace-id", id);
    }
    response
}

async fn sign_in(State((issuer, clock)): State<(Issuer, Clock)>, body: Result<Json<Value>, JsonRejection>) -> Response {
    let body = match body {
        Ok(Json(body)) => body.to_string(),
        Err(rejection) => return problem(rejection.status(), None, &rejection.body_text()),
    };
    let SignInRequest { handle } = match json::parse(body.as_bytes()) {
        Ok(request) => request,
        Err(invalid) => return problem(StatusCode::UNPROCESSABLE_ENTITY, None, &format!("Invalid body: {invalid}.")),
    };
    let Some(user) = USERS.iter().find(|user| user.handle.eq_ignore_ascii_case(&handle)) else {
        let handles = USERS.map(|user| user.handle).join(", ");
        return problem(
            StatusCode::NOT_FOUND,
            None,
            &format!("`handle` must be the handle of a demo user: {handles}."),
        );
    };
    match issuer.access_token(&user.sub(), clock.now()) {
        Ok(token) => {
            let expires_in = TOKEN_LIFETIME.as_secs();
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
            Json(body).into_response()
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, None, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tower::ServiceExt;

    use super::*;
    use crate::http_server::HttpServer;
    use crate::listen;

    async fn send(request: axum::http::request::Builder, body: String) -> Response {
        let router = limited(Issuer::ephemeral().unwrap(), Clock::system(), TIMEOUT);
        router.oneshot(request.uri(PATH).body(Body::from(body)).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn other_method_is_a_problem() {
        let response = send(Request::builder().method("GET"), String::new()).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["allow"], "POST");
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["status"], 405);
    }

    #[tokio::test]
    async fn body_over_64_kib_is_rejected() {
        for (padding, expected) in [(65_536 - 17, 200), (65_536 - 16, 413)] {
            let body = format!(r#"{{"handle":"worf"}}{}"#, " ".repeat(padding));
            let request = Request::builder().method("POST").header("content-type", "application/json");
            assert_eq!(send(request, body).await.status(), expected, "{padding}");
        }
    }

    #[tokio::test]
    async fn body_that_does_not_end_is_rejected() {
        let router = limited(Issuer::ephemeral().unwrap(), Clock::system(), Duration::from_millis(20));
        let server = HttpServer::start(listen::on_loopback(0, "--port").await.unwrap(), router).unwrap();
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        let head =
            format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        connection.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 408");
    }
}
