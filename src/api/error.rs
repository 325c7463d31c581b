use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lambda_spans::ErrorType;

use super::auth::{BadToken, Challenge};
use super::cursor::BadCursor;
use crate::domain::Invalid;
use crate::store::StoreError;

/// Every way a request can fail. The text becomes the problem's `detail`.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("The request breaks these rules: {0}.")]
    Invalid(#[from] Invalid),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    BadCursor(#[from] BadCursor),
    #[error("This route requires authentication. Sign in and send an access token.")]
    Unauthenticated,
    #[error("The signed-in user has no profile yet. Sign in again to create it.")]
    NoProfile,
    #[error("{0}")]
    BadToken(BadToken),
    #[error("Signing keys are unavailable. Retry.")]
    NoKeySet,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    NotFound(&'static str),
    #[error("The route does not support this method. `Allow` lists the supported methods.")]
    MethodNotAllowed,
    #[error("The body exceeds {max_bytes} bytes.")]
    BodyTooLarge { max_bytes: usize },
    #[error("`Content-Type` must be `application/json`.")]
    UnsupportedMediaType,
    #[error("The body must not be compressed. Send it without `Content-Encoding`.")]
    UnsupportedContentEncoding,
    #[error("{}", store_detail(.0))]
    Store(#[from] StoreError),
    #[error("The database does not respond.")]
    Unhealthy(#[source] Option<StoreError>),
    #[error("{INTERNAL_ERROR}")]
    Panic,
    #[error("{TIMED_OUT}")]
    OutOfTime,
}

const INTERNAL_ERROR: &str = "An internal error occurred. `trace_id` identifies this request.";

const TIMED_OUT: &str = "The request timed out. Retry.";

fn store_detail(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict { .. } => "A concurrent request changed the same data. Retry.",
        StoreError::KeyReused => {
            "This `Idempotency-Key` was sent with a different body before. Use a new key for each write."
        }
        StoreError::Throttled { .. } => "The database is overloaded. Retry.",
        StoreError::Unavailable { .. } => "The database does not respond. Retry.",
        StoreError::DeadlineExceeded { .. } => TIMED_OUT,
        StoreError::Corrupt { .. }
        | StoreError::OtherLayout { .. }
        | StoreError::Invalid { .. }
        | StoreError::Rejected { .. } => INTERNAL_ERROR,
    }
}

impl ApiError {
    /// A query string that axum cannot deserialize.
    pub(super) fn bad_query(rejection: &QueryRejection) -> Self {
        let reason = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
        Self::BadRequest(format!("Invalid query string: {reason}."))
    }

    /// Returns the codes of the broken rules if validation failed.
    pub(super) fn codes(&self) -> Option<Vec<&'static str>> {
        let Self::Invalid(invalid) = self else { return None };
        Some(invalid.codes().iter().map(|code| code.as_str()).collect())
    }

    /// Returns how to authenticate, if the status is 401.
    pub(super) fn challenge(&self) -> Option<Challenge> {
        if let Self::BadToken(bad) = self {
            return Some(Challenge::from(*bad));
        }
        let (status, _) = self.status();
        (status == StatusCode::UNAUTHORIZED).then_some(Challenge::MISSING)
    }

    /// Returns the status, and the `code` in problems, spans and logs. No other code chooses a status.
    pub(super) fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::BadCursor(BadCursor::NeedsUser) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::BadCursor(_) => (StatusCode::BAD_REQUEST, "bad_cursor"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::BadToken(_) => (StatusCode::UNAUTHORIZED, "bad_token"),
            Self::NoKeySet => (StatusCode::SERVICE_UNAVAILABLE, "no_key_set"),
            Self::NoProfile => (StatusCode::FORBIDDEN, "no_profile"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::UnsupportedContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding"),
            Self::Store(StoreError::Conflict { .. }) => (StatusCode::CONFLICT, "conflict"),
            Self::Store(StoreError::KeyReused) => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Self::Store(StoreError::Throttled { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "throttled"),
            Self::Store(StoreError::Unavailable { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Store(StoreError::DeadlineExceeded { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "out_of_time"),
            Self::Store(StoreError::Corrupt { .. }) => (StatusCode::INTERNAL_SERVER_ERROR, "corrupt_item"),
            Self::Store(StoreError::OtherLayout { .. }) => (StatusCode::INTERNAL_SERVER_ERROR, "other_layout"),
            Self::Store(StoreError::Invalid { .. } | StoreError::Rejected { .. }) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "store_refused")
            }
            Self::Unhealthy(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
            Self::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "panic"),
            Self::OutOfTime => (StatusCode::SERVICE_UNAVAILABLE, "out_of_time"),
        }
    }
}

impl IntoResponse for ApiError {
    /// Returns a response without a body. The layer in `problem.rs` finds the error in its extensions and writes the body.
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let mut response = status.into_response();
        response.extensions_mut().insert(ErrorType(Cow::Borrowed(code)));
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
