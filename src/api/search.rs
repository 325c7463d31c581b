use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, RawQuery, State};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activity_body::ActivityResponse;
use super::error::ApiError;
use super::pagination::{PageRequest, Paginator, record_result_length};
use super::principal::Principal;
use crate::domain::SearchTerm;

/// The query parameters of a search.
#[derive(Deserialize)]
pub(super) struct SearchQuery {
    term: Option<String>,
}

/// Lists unexpired posts that contain all words, newest first.
pub(super) async fn search(
    State(state): State<AppState>,
    principal: Option<Extension<Principal>>,
    page: PageRequest,
    RawQuery(raw): RawQuery,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    if raw.as_deref().is_some_and(|query| percent_decode_str(query).decode_utf8().is_err()) {
        return Err(ApiError::BadRequest("The query string is not valid UTF-8.".to_owned()));
    }
    let Query(query) = query.map_err(|rejection| ApiError::bad_query(&rejection))?;
    let principal = principal.map(|Extension(principal)| principal);
    let span = info_span!(
        "search-activities",
        app.result_length = Empty,
        app.user_id = principal.as_ref().map(|principal| state.keys.user_id(&principal.sub)),
        app.validation_codes = Empty,
        app.words = Empty,
    );
    async {
        let span = Span::current();
        let text = query.term.unwrap_or_default();
        let term = SearchTerm::parse(&text).inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        span.record("app.words", i64::try_from(term.words()).ok());
        let mut page = Paginator::open(&state, page, principal.as_ref(), state.clock.now())?;
        // A term may contain non-ASCII characters and delimiters.
        page.extra_query = format!("&term={}", utf8_percent_encode(&text, NON_ALPHANUMERIC));
        let found = state.store.search(&term, page.now, page.limit, page.before).await?;
        record_result_length(found.rows.len());
        let rows: Vec<_> = found.rows.iter().map(ActivityResponse::from).collect();
        Ok(page.respond(rows, found.next))
    }
    .instrument(span)
    .await
}
