use axum::Json;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use tracing::Span;

use super::AppState;
use super::cursor::{self, Scope};
use super::error::ApiError;
use super::identity::Principal;
use super::page::{Page, next_link};
use crate::domain::Id;

/// A page of a list: for whom it is, and from where it goes on.
pub(super) struct Listing<'a> {
    state: &'a AppState,
    scope: Scope<'a>,
    pub(super) now: Timestamp,
    pub(super) limit: u16,
    /// Where the page before ended.
    pub(super) before: Option<Id>,
    /// Parameters of the request that the next page needs too, each with its `&`.
    pub(super) kept: String,
}

impl<'a> Listing<'a> {
    /// The page of `route` that the request asks for.
    pub(super) fn open(
        state: &'a AppState,
        route: &'a str,
        principal: Option<&'a Principal>,
        page: Page,
    ) -> Result<Self, ApiError> {
        Self::open_at(state, route, principal, page, state.clock.now())
    }

    /// The same at a time that the caller has looked up already.
    pub(super) fn open_at(
        state: &'a AppState,
        route: &'a str,
        principal: Option<&'a Principal>,
        page: Page,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let scope = Scope { route, principal };
        let before = page.cursor.map(|cursor| cursor::open(&state.keys, scope, &cursor, now)).transpose()?;
        Ok(Self { state, scope, now, limit: page.limit, before, kept: String::new() })
    }

    /// The rows, and the `Link` to those from `next` on.
    pub(super) fn respond(&self, rows: impl Serialize, next: Option<Id>) -> Response {
        let mut response = Json(rows).into_response();
        self.link(&mut response, next);
        response
    }

    /// Adds the `Link` to the rows from `next` on, if there are any.
    pub(super) fn link(&self, response: &mut Response, next: Option<Id>) {
        let cursor = next.map(|next| cursor::seal(&self.state.keys, self.scope, next, self.now));
        if let Some(link) = cursor.and_then(|cursor| next_link(&cursor, self.limit, &self.kept)) {
            response.headers_mut().insert(LINK, link);
        }
    }
}

/// Says in the present span how many rows were found.
pub(super) fn tell_length(rows: usize) {
    // As a signed number: an unsigned one would go as text, with which no query can compute.
    Span::current().record("app.result_length", i64::try_from(rows).ok());
}
