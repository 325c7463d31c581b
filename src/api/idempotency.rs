//! `Idempotency-Key`: a client can safely retry a write whose response it did not receive.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Span;

use super::error::ApiError;
use super::principal::Principal;
use super::{AppState, body};
use crate::store::{IdempotencyKey, WriteOutcome};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(super) const MAX_BYTES: usize = 255;

/// Extracts a JSON body and the idempotency key, if the request has one.
pub(super) struct Idempotent<T> {
    pub(super) request: T,
    pub(super) key: Option<IdempotencyKey>,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Idempotent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let key = parse_key(request.headers())?;
        let principal: Option<Principal> = request.extensions().get().cloned();
        let principal = principal.ok_or(ApiError::Unauthenticated)?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let bytes = body::read(request, state).await?;
        let scope = [principal.sub.as_str(), method.as_str(), path.as_str()];
        let key = key.map(|key| IdempotencyKey::new(scope, &key, &bytes, state.clock.now()));
        Ok(Self { request: body::parse(&bytes)?, key })
    }
}

/// Records in the span that an earlier request already did the write, and links to that request's trace.
pub(super) fn record_replay(span: &Span, written: &WriteOutcome) {
    if written.replayed {
        span.record("app.replayed", true);
    }
    if let Some(context) = &written.trace_context {
        lambda_spans::link(span, context);
    }
}

/// Returns the response to a write, marked if an earlier request did the write.
pub(super) fn respond(replayed: bool, body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn parse_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_valid = (1..=MAX_BYTES).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    if is_valid && values.next().is_none() {
        return Ok(Some(String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    Err(ApiError::BadRequest(format!(
        "`Idempotency-Key` must be one value of 1 to {MAX_BYTES} visible ASCII characters."
    )))
}
