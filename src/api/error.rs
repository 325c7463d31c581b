use std::borrow::Cow;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lambda_spans::ErrorType;

use super::body::MAX_BYTES;
use super::cursor::BadCursor;
use super::identity::BadToken;
use crate::domain::Invalid;
use crate::store::StoreError;

/// Every way in which a request can fail. The text is what the client is told.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("The input breaks these rules: {0}.")]
    Invalid(#[from] Invalid),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    BadCursor(#[from] BadCursor),
    #[error("Sign in first: this route needs a user.")]
    Unauthenticated,
    #[error("You are signed in, but this user has no profile yet.")]
    NoProfile,
    #[error("{0}")]
    BadToken(BadToken),
    #[error("The keys of the user pool cannot be had. Try again.")]
    NoKeySet,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    NotFound(&'static str),
    #[error("This route is there, but not for this method; `Allow` lists those it takes.")]
    MethodNotAllowed,
    #[error("The body is longer than {MAX_BYTES} bytes.")]
    BodyTooLarge,
    #[error("The body must be `application/json`; the request says {0}.")]
    UnsupportedMediaType(String),
    #[error("The body must be sent as it is, without a `Content-Encoding`.")]
    UnsupportedContentEncoding,
    #[error("{}", store_detail(.0))]
    Store(#[from] StoreError),
    #[error("The database does not answer.")]
    Unhealthy(#[source] Option<StoreError>),
    #[error("{OUR_FAULT}")]
    Panic,
    #[error("{NO_TIME}")]
    OutOfTime,
}

const OUR_FAULT: &str = "Something is wrong on our side. `trace_id` names this request.";

const NO_TIME: &str = "There was not enough time left to answer. Try again.";

fn store_detail(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict { .. } => "Something else has changed at the same time. Try again.",
        StoreError::KeyReused => {
            "This `Idempotency-Key` was sent with another body before: a new write needs a new key."
        }
        StoreError::Throttled { .. } => "There is too much to do at the moment. Try again.",
        StoreError::Unavailable { .. } => "The database does not answer. Try again.",
        StoreError::OutOfTime { .. } => NO_TIME,
        StoreError::Corrupt { .. } | StoreError::Invalid { .. } | StoreError::Refused { .. } => OUR_FAULT,
    }
}

impl ApiError {
    /// The broken rules, where the input is what is wrong.
    pub(super) fn codes(&self) -> Option<Vec<&'static str>> {
        let Self::Invalid(invalid) = self else { return None };
        Some(invalid.codes().iter().map(|code| code.as_str()).collect())
    }

    /// The one place that chooses a status, and the word for clients and spans that goes with it.
    pub(super) fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::BadCursor(_) => (StatusCode::BAD_REQUEST, "bad_cursor"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::BadToken(_) => (StatusCode::UNAUTHORIZED, "bad_token"),
            Self::NoKeySet => (StatusCode::SERVICE_UNAVAILABLE, "no_key_set"),
            Self::NoProfile => (StatusCode::FORBIDDEN, "no_profile"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::UnsupportedMediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::UnsupportedContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding"),
            Self::Store(StoreError::Conflict { .. }) => (StatusCode::CONFLICT, "conflict"),
            Self::Store(StoreError::KeyReused) => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Self::Store(StoreError::Throttled { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "throttled"),
            Self::Store(StoreError::Unavailable { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Store(StoreError::OutOfTime { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "out_of_time"),
            Self::Store(StoreError::Corrupt { .. }) => (StatusCode::INTERNAL_SERVER_ERROR, "corrupt_item"),
            Self::Store(StoreError::Invalid { .. } | StoreError::Refused { .. }) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "store_refused")
            }
            Self::Unhealthy(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
            Self::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "panic"),
            Self::OutOfTime => (StatusCode::SERVICE_UNAVAILABLE, "out_of_time"),
        }
    }
}

impl IntoResponse for ApiError {
    /// A response without a body: [`answer`](super::answer::answer) finds the error in it and writes one.
    fn into_response(self) -> Response {
        let (status, word) = self.status();
        let mut response = status.into_response();
        response.extensions_mut().insert(ErrorType(Cow::Borrowed(word)));
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
