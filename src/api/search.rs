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
use super::identity::Principal;
use super::listing::{Listing, tell_length};
use super::page::Page;
use crate::domain::SearchTerm;

/// What a client searches for.
#[derive(Deserialize)]
pub(super) struct SearchQuery {
    term: Option<String>,
}

/// The newest posts that have all the words.
pub(super) async fn search(
    State(state): State<AppState>,
    principal: Option<Extension<Principal>>,
    page: Page,
    RawQuery(raw): RawQuery,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    if raw.as_deref().is_some_and(|query| percent_decode_str(query).decode_utf8().is_err()) {
        return Err(ApiError::BadRequest("The query is not valid UTF-8.".to_owned()));
    }
    let Query(query) = query
        .map_err(|rejection| ApiError::BadRequest(format!("The query cannot be read: {}.", rejection.body_text())))?;
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
        let asked = query.term.unwrap_or_default();
        let term = SearchTerm::parse(&asked).inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        span.record("app.words", i64::try_from(term.exact().len() + 1).ok());
        let mut list = Listing::open(&state, "/api/activities/search", principal.as_ref(), page)?;
        // A link is ASCII, and a term may have what ends a parameter.
        list.kept = format!("&term={}", utf8_percent_encode(&asked, NON_ALPHANUMERIC));
        let found = state.store.search(&term, list.now, list.limit, list.before).await?;
        tell_length(found.rows.len());
        let rows: Vec<_> = found.rows.iter().map(ActivityResponse::from).collect();
        Ok(list.respond(rows, found.next))
    }
    .instrument(span)
    .await
}
