use std::fmt::Display;

use axum::Json;
use axum::extract::{FromRequestParts, MatchedPath, Query};
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::Span;

use super::AppState;
use super::auth::AuthError;
use super::cursor::{self, BadCursor, Scope};
use super::error::ApiError;
use super::principal::Principal;
use crate::domain::Id;

pub(super) const DEFAULT_LIMIT: u16 = 20;
pub(super) const MAX_LIMIT: u16 = 100;

/// The requested page of a list: `?limit=&cursor=` and the route. Other query parameters are ignored.
pub(super) struct PageRequest {
    route: String,
    limit: Option<u16>,
    cursor: Option<String>,
    /// Why the request's token was not accepted, on a route with optional authentication.
    rejected: Option<AuthError>,
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        let Query(PageQuery { limit, cursor }) = query.map_err(|rejection| ApiError::bad_query(&rejection))?;
        let limit = limit.as_deref().map(parse_limit).transpose()?;
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
        Ok(Self { route: route.to_owned(), limit, cursor, rejected: parts.extensions.get().copied() })
    }
}

impl PageRequest {
    /// Sets the limit that applies if the request has none.
    pub(super) fn default_limit(self, limit: u16) -> Self {
        Self { limit: self.limit.or(Some(limit)), ..self }
    }

    /// Binds the cursor to one resource instead of the whole route: the resource replaces the route's parameters.
    pub(super) fn bind_to(self, resource: impl Display) -> Self {
        let collection = self.route.split('{').next().unwrap_or_default().trim_end_matches('@');
        Self { route: format!("{collection}{resource}"), ..self }
    }
}

fn parse_limit(text: &str) -> Result<u16, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| ApiError::BadRequest(format!("`limit` must be an integer from 1 to {MAX_LIMIT}.")))
}

/// Parameters of one page, for the store and for the link to the next page.
pub(super) struct Paginator<'a> {
    state: &'a AppState,
    route: String,
    principal: Option<&'a Principal>,
    pub(super) now: Timestamp,
    pub(super) limit: u16,
    /// The position where the previous page ended.
    pub(super) before: Option<Id>,
    /// Query parameters that the link to the next page repeats, each with a leading `&`.
    pub(super) extra_query: String,
}

impl<'a> Paginator<'a> {
    /// Verifies the cursor. `principal` is the user on which the list depends.
    ///
    /// A user's cursor in a request without a valid token is rejected with 401, so that the client refreshes the token.
    pub(super) fn open(
        state: &'a AppState,
        request: PageRequest,
        principal: Option<&'a Principal>,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let PageRequest { route, limit, cursor, rejected } = request;
        let scope = Scope { route: &route, principal };
        let before = cursor.map(|cursor| cursor::open(&state.keys, scope, &cursor, now)).transpose();
        let before = before.map_err(|bad| match (bad, rejected) {
            (BadCursor::NeedsUser, Some(rejected)) => ApiError::from(rejected),
            (bad, _) => ApiError::from(bad),
        })?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        Ok(Self { state, route, principal, now, limit, before, extra_query: String::new() })
    }

    /// Returns the rows as JSON, with a `Link` to the page that begins at `next`.
    pub(super) fn respond(&self, rows: impl Serialize, next: Option<Id>) -> Response {
        let mut response = Json(rows).into_response();
        self.add_link(&mut response, next);
        response
    }

    /// Adds a `Link` to the page that begins at `next`, if there is one.
    pub(super) fn add_link(&self, response: &mut Response, next: Option<Id>) {
        response.headers_mut().extend(self.link(next).map(|link| (LINK, link)));
    }

    /// Returns the `Link` to the page that begins at `next`, if there is one.
    ///
    /// The link is only a query, so that it works behind every API stage and custom domain.
    pub(super) fn link(&self, next: Option<Id>) -> Option<HeaderValue> {
        let scope = Scope { route: &self.route, principal: self.principal };
        let cursor = cursor::seal(&self.state.keys, scope, next?, self.now);
        let link = format!("<?cursor={cursor}&limit={}{}>; rel=\"next\"", self.limit, self.extra_query);
        HeaderValue::try_from(link).ok()
    }
}

/// Records the number of rows in the current span.
pub(super) fn record_result_length(rows: usize) {
    // Signed, because unsigned numbers are exported as text, which queries cannot aggregate.
    Span::current().record("app.result_length", i64::try_from(rows).ok());
}
