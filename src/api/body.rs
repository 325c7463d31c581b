use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::json;

/// Maximum length of a body in bytes. The longest valid body is far shorter.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// Reads a body whose headers declare uncompressed JSON.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    expect_json(request.headers())?;
    expect_uncompressed(request.headers())?;
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { max_bytes: MAX_BYTES },
        _ => ApiError::BadRequest("The body is incomplete.".to_owned()),
    })
}

fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(ApiError::UnsupportedMediaType) };
    let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if media_type.eq_ignore_ascii_case(b"application/json") { Ok(()) } else { Err(ApiError::UnsupportedMediaType) }
}

/// Rejects compressed bodies: a small body could decompress to a huge one.
fn expect_uncompressed(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(ApiError::UnsupportedContentEncoding)
}

/// Parses a JSON object. An error names the field.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    json::parse(bytes).map_err(|invalid| ApiError::BadRequest(format!("Invalid body: {invalid}.")))
}
