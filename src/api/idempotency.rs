//! `Idempotency-Key`: a client that heard no answer may send a write again, and it still happens once.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Span;

use super::error::ApiError;
use super::identity::Principal;
use super::{AppState, body};
use crate::store::{Once, Written};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(super) const MAX_BYTES: usize = 255;

/// A JSON body, and the key under which its write happens once, if the client gives one.
pub(super) struct Idempotent<T> {
    pub(super) request: T,
    pub(super) once: Option<Once>,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Idempotent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let key = key(request.headers())?;
        let principal: Option<Principal> = request.extensions().get().cloned();
        let principal = principal.ok_or(ApiError::Unauthenticated)?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let bytes = body::read(request, state).await?;
        let scope = [principal.sub.as_str(), method.as_str(), path.as_str()];
        let once = key.map(|key| Once::new(scope, &key, &bytes, state.clock.now()));
        Ok(Self { request: body::parse(&bytes)?, once })
    }
}

/// Says in the span of a write that it happened at an earlier request, whose trace it is linked to.
pub(super) fn tell(span: &Span, written: &Written) {
    if written.replayed {
        span.record("app.replayed", true);
    }
    if let Some(context) = &written.trace_context {
        lambda_spans::link(span, context);
    }
}

/// What was made, now or at an earlier request.
pub(super) fn answer(replayed: bool, body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let found = if values.next().is_some() {
        "several".to_owned()
    } else if value.len() > MAX_BYTES {
        format!("{} characters", value.len())
    } else if value.is_empty() {
        "none".to_owned()
    } else if value.as_bytes().iter().all(u8::is_ascii_graphic) {
        return Ok(Some(String::from_utf8_lossy(value.as_bytes()).into_owned()));
    } else {
        "another character".to_owned()
    };
    Err(ApiError::BadRequest(format!(
        "`Idempotency-Key` must be one value of 1 to {MAX_BYTES} visible ASCII characters; found {found}."
    )))
}
