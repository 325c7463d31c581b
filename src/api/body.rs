use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The longest body, in bytes: far above the longest message, far below what is slow to read.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// What HTTP clients say of a body where nobody has told them what it is.
const WRONG_TYPES: [&str; 5] =
    ["application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data", "text/html", "text/plain"];

/// The bytes of a body that is said to be JSON.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    expect_json(request.headers())?;
    expect_plain(request.headers())?;
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
        _ => ApiError::BadRequest("The body ended before it was complete.".to_owned()),
    })
}

fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (value, another) = (values.next(), values.next());
    let Some(value) = value else {
        return Err(ApiError::UnsupportedMediaType("nothing".to_owned()));
    };
    if another.is_some() {
        return Err(ApiError::UnsupportedMediaType("several things".to_owned()));
    }
    let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if media_type.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    // Only what clients are known to send by mistake is repeated.
    let known = WRONG_TYPES.iter().find(|known| media_type.eq_ignore_ascii_case(known.as_bytes()));
    Err(ApiError::UnsupportedMediaType(known.map_or_else(|| "another type".to_owned(), |known| format!("`{known}`"))))
}

/// Nothing is unpacked here: what is small when it is sent can be huge then.
fn expect_plain(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(ApiError::UnsupportedContentEncoding)
}

/// The JSON value. What is wrong with it is told with the field and the place.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| bad_json(&error))?;
    json.end().map_err(|error| bad_json(&error))?;
    Ok(value)
}

fn bad_json(error: &dyn std::error::Error) -> ApiError {
    ApiError::BadRequest(format!("The body cannot be read: {}.", without_value(&error.to_string())))
}

/// `invalid type: string "…", expected …` without the value, which may be private: what was found is told by its type.
fn without_value(error: &str) -> String {
    let Some((before, found)) = error.split_once("invalid type: ").or_else(|| error.split_once("invalid value: "))
    else {
        return error.to_owned();
    };
    let Some((found, expected)) = found.rsplit_once(", expected") else { return error.to_owned() };
    let kind = found.split(['"', '`']).next().unwrap_or_default();
    format!("{before}invalid type: {}, expected{expected}", kind.trim_end())
}
