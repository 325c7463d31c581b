//! `POST /local/sign-in`: a token for a demo user, for whoever asks.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use cruddur::clock::Clock;
use serde::Deserialize;
use serde_json::json;

use crate::issuer::{Issuer, LIFETIME};
use crate::seed::USERS;

/// Where it is.
pub const PATH: &str = "/local/sign-in";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    handle: String,
}

/// The route, which is not one of the API: no deployed system has it.
pub fn router(issuer: Issuer, clock: Clock) -> Router {
    Router::new().route(PATH, post(sign_in)).with_state((issuer, clock))
}

async fn sign_in(
    State((issuer, clock)): State<(Issuer, Clock)>,
    body: Result<Json<SignInRequest>, JsonRejection>,
) -> Response {
    let handle = match body {
        Ok(Json(request)) => request.handle,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let Some(user) = USERS.iter().find(|user| user.handle == handle) else {
        let handles = USERS.map(|user| user.handle).join(", ");
        return problem(StatusCode::NOT_FOUND, &format!("There is no such demo user; there are {handles}."));
    };
    match issuer.access_token(&user.sub(), clock.now()) {
        Ok(token) => {
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME.as_secs() });
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
