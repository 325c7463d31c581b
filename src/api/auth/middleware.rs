use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::identity::AuthError;
use crate::api::AppState;
use crate::api::error::ApiError;
use crate::api::principal::Principal;

/// Rejects a request without a valid access token with 401, before its body is read.
pub(in crate::api) async fn required(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let principal = state.identity.authenticate(request.headers(), state.clock.now()).await?;
    request.extensions_mut().insert(principal.ok_or(ApiError::Unauthenticated)?);
    Ok(next.run(request).await)
}

/// Authenticates a request if it can. A request with an invalid token is anonymous, as in the original; the
/// [`AuthError`] becomes an extension for what only a user can have, such as a user's cursor.
pub(in crate::api) async fn optional(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match state.identity.authenticate(request.headers(), state.clock.now()).await {
        Ok(principal) => drop(principal.map(|principal| request.extensions_mut().insert(principal))),
        Err(error) => {
            tracing::debug!(?error, "invalid token, treated as anonymous");
            request.extensions_mut().insert(error);
        }
    }
    next.run(request).await
}

/// Extracts the user of a route that requires authentication.
pub(in crate::api) struct SignedIn(pub(in crate::api) Principal);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().map(Self).ok_or(ApiError::Unauthenticated)
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::BadToken(bad) => Self::BadToken(bad),
            AuthError::NoKeySet => Self::NoKeySet,
        }
    }
}
