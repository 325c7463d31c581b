//! `POST /local/sign-in`: returns an access token for a demo user, without a password.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use cruddur::clock::Clock;
use cruddur::json;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

use crate::issuer::{Issuer, TOKEN_LIFETIME};
use crate::seed::USERS;

/// The path of the route.
pub const PATH: &str = "/local/sign-in";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    handle: String,
}

/// Returns the route, which pages of `origins` may call. It exists on the local server only and is not part of the API.
pub fn router(issuer: Issuer, clock: Clock, origins: &[String]) -> Router {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect();
    let cors = CorsLayer::new().allow_origin(origins).allow_methods([Method::POST]).allow_headers([CONTENT_TYPE]);
    Router::new().route(PATH, post(sign_in)).layer(cors).with_state((issuer, clock))
}

async fn sign_in(State((issuer, clock)): State<(Issuer, Clock)>, body: Result<Json<Value>, JsonRejection>) -> Response {
    let body = match body {
        Ok(Json(body)) => body.to_string(),
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let SignInRequest { handle } = match json::parse(body.as_bytes()) {
        Ok(request) => request,
        Err(invalid) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("Invalid body: {invalid}.")),
    };
    let Some(user) = USERS.iter().find(|user| user.handle.eq_ignore_ascii_case(&handle)) else {
        let handles = USERS.map(|user| user.handle).join(", ");
        return problem(StatusCode::NOT_FOUND, &format!("`handle` must be the handle of a demo user: {handles}."));
    };
    match issuer.access_token(&user.sub(), clock.now()) {
        Ok(token) => {
            let expires_in = TOKEN_LIFETIME.as_secs();
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
            Json(body).into_response()
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    (status, [("content-type", "application/problem+json")], body.to_string()).into_response()
}
