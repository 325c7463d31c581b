use axum::extract::{FromRequestParts, Query};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use serde::Deserialize;

use super::error::ApiError;

pub(super) const DEFAULT_LIMIT: u16 = 20;
pub(super) const MAX_LIMIT: u16 = 100;

/// The part of a list that is asked for: `?limit=&cursor=`. Other parameters are ignored.
pub(super) struct Page {
    pub(super) limit: u16,
    /// The limit, if one is asked for: not every list has the same without.
    pub(super) asked: Option<u16>,
    pub(super) cursor: Option<String>,
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(PageQuery { limit, cursor }) =
            Query::from_request_parts(parts, state).await.map_err(|rejection| {
                ApiError::BadRequest(format!("The query cannot be read: {}.", rejection.body_text()))
            })?;
        let asked = limit.as_deref().map(parse_limit).transpose()?;
        Ok(Self { limit: asked.unwrap_or(DEFAULT_LIMIT), asked, cursor })
    }
}

fn parse_limit(text: &str) -> Result<u16, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        // A number is quoted. Anything else may be what should have gone elsewhere, and is not repeated anywhere.
        let found = text.parse::<i16>().map_or_else(|_| "another text".to_owned(), |number| format!("`{number}`"));
        ApiError::BadRequest(format!("`limit` must be a whole number from 1 to {MAX_LIMIT}; found {found}."))
    })
}

/// A `Link` to the next page: a query alone, so that it holds behind any stage and domain.
///
/// It takes the place of the request's query: `kept` are those of its parameters that the next page needs too.
pub(super) fn next_link(cursor: &str, limit: u16, kept: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("<?cursor={cursor}&limit={limit}{kept}>; rel=\"next\"")).ok()
}
