//! `POST /local/sign-in`: returns an access token for a demo user, without a password.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use cruddur::clock::Clock;
use serde::Deserialize;
use serde_json::json;

use crate::issuer::{Issuer, TOKEN_LIFETIME};
use crate::seed::USERS;

/// The path of the route.
pub const PATH: &str = "/local/sign-in";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    handle: String,
}

/// Returns the route. It exists on the local server only and is not part of the API.
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
