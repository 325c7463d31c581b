//! Who makes a request.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;

/// The user who signed in: a request extension, put there by what has checked it.
///
/// In Lambda that is [`gateway`](super::gateway()), from the claims that API Gateway's authorizer has verified; on a
/// laptop the local server. A header never makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// The identity provider's id of the user. It never leaves the backend.
    pub sub: String,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").finish_non_exhaustive()
    }
}

/// What a handler asks for that only users may call: answers 401 before anything else is looked at.
pub(super) struct SignedIn(pub(super) Principal);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().map(Self).ok_or(ApiError::Unauthenticated)
    }
}
