use axum::Json;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

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
    pub(super) before: Option<Id>,
    /// Parameters of the request that the next page needs too, each with its `&`.
    pub(super) kept: String,
}

impl<'a> Listing<'a> {
    /// The page of `route` that the request asks for.
    pub(super) fn open(
        state: &'a AppState,
        route: &'static str,
        principal: Option<&'a Principal>,
        page: Page,
    ) -> Result<Self, ApiError> {
        let now = state.clock.now();
        let scope = Scope { route, principal };
        let before = page.cursor.map(|cursor| cursor::open(&state.keys, scope, &cursor, now)).transpose()?;
        Ok(Self { state, scope, now, limit: page.limit, before, kept: String::new() })
    }

    /// The rows, and the `Link` to those from `next` on.
    pub(super) fn respond(&self, rows: impl Serialize, next: Option<Id>) -> Response {
        let mut response = Json(rows).into_response();
        let cursor = next.map(|next| cursor::seal(&self.state.keys, self.scope, next, self.now));
        if let Some(link) = cursor.and_then(|cursor| next_link(&cursor, self.limit, &self.kept)) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}
