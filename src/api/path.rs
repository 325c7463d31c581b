use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::error::ApiError;
use crate::domain::{Handle, Id};

pub(super) const NO_SUCH_ACTIVITY: ApiError = ApiError::NotFound("The activity does not exist or has expired.");
pub(super) const NO_SUCH_USER: ApiError = ApiError::NotFound("The user does not exist.");

/// Extracts `{activity_uuid}`. An invalid id is rejected with 404, like an unknown one.
pub(super) struct ActivityUuid(pub(super) Id);

/// Extracts `{handle}`, which follows an `@` in the path. An invalid handle is rejected with 404.
pub(super) struct AtHandle(pub(super) Handle);

impl<S: Send + Sync> FromRequestParts<S> for ActivityUuid {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = parameter(parts, state, "activity_uuid").await?;
        Id::parse(&text).map(Self).ok_or(NO_SUCH_ACTIVITY)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AtHandle {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = parameter(parts, state, "handle").await?;
        Handle::parse(&text).ok().map(Self).ok_or(NO_SUCH_USER)
    }
}

async fn parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, ApiError> {
    let Ok(Path(mut found)) = Path::<HashMap<String, String>>::from_request_parts(parts, state).await else {
        return Err(ApiError::BadRequest("The path is not valid UTF-8.".to_owned()));
    };
    Ok(found.remove(name).unwrap_or_default())
}
