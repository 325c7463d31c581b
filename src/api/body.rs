use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The longest body, in bytes: far above the longest message, far below what is slow to read.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// A JSON body. What is wrong with it is told with the field and the place.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        expect_json(request.headers())?;
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
            _ => ApiError::BadRequest("The body ended before it was complete.".to_owned()),
        })?;
        parse(&bytes).map(Self)
    }
}

fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(ApiError::UnsupportedMediaType("nothing".to_owned()));
    };
    let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if media_type.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    Err(ApiError::UnsupportedMediaType(format!("`{}`", String::from_utf8_lossy(media_type))))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| bad_json(&error))?;
    json.end().map_err(|error| bad_json(&error))?;
    Ok(value)
}

fn bad_json(error: &dyn std::error::Error) -> ApiError {
    ApiError::BadRequest(format!("The body cannot be read: {error}."))
}
