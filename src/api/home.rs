use std::collections::HashSet;

use axum::extract::{Extension, State};
use axum::response::Response;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::activity_body::{ActivityResponse, ReplyResponse};
use super::error::ApiError;
use super::fields::rfc3339;
use super::pagination::{MAX_LIMIT, PageRequest, Paginator, record_result_length};
use super::principal::Principal;
use super::{AppState, Compat};
use crate::domain::{Id, Post, Profile};
use crate::store::StoreError;

/// Lists unexpired posts, newest first. For an authenticated user, each post has `liked`.
pub(super) async fn list(
    State(state): State<AppState>,
    principal: Option<Extension<Principal>>,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let principal = principal.map(|Extension(principal)| principal);
    let span = info_span!(
        "home-activities",
        app.now = rfc3339(now),
        app.result_length = Empty,
        app.user_id = principal.as_ref().map(|principal| state.keys.user_id(&principal.sub)),
    );
    async {
        let page = Paginator::open(&state, page, principal.as_ref(), now)?;
        let (found, profile) =
            tokio::try_join!(state.store.home(now, page.limit, page.before), profile(&state, principal.as_ref()))?;
        record_result_length(found.rows.len());
        let mut rows: Vec<_> = found.rows.iter().map(ActivityResponse::from).collect();
        if principal.is_some() {
            let liked = liked(&state, profile, &found.rows).await?;
            for (row, post) in rows.iter_mut().zip(&found.rows) {
                row.liked = Some(liked.contains(&post.id));
            }
        }
        if state.compat == Compat::Week2 {
            add_replies(&state, &mut rows, &found.rows, now).await?;
        }
        Ok(page.respond(rows, found.next))
    }
    .instrument(span)
    .await
}

/// Adds the replies to each post, as the original's first pages show them.
async fn add_replies(
    state: &AppState,
    rows: &mut [ActivityResponse],
    posts: &[Post],
    now: Timestamp,
) -> Result<(), StoreError> {
    let replies = posts.iter().map(async |post| match post.counters.replies {
        0 => Ok(Vec::new()),
        _ => Ok::<_, StoreError>(state.store.replies(post.id, now, MAX_LIMIT, None).await?.rows),
    });
    for (row, replies) in rows.iter_mut().zip(try_join_all(replies).await?) {
        row.replies = Some(replies.iter().map(ReplyResponse::from).collect());
    }
    Ok(())
}

async fn profile(state: &AppState, principal: Option<&Principal>) -> Result<Option<Profile>, StoreError> {
    match principal {
        Some(principal) => state.store.profile(&principal.sub).await,
        None => Ok(None),
    }
}

/// Returns which of the posts the user likes. A user without a profile likes none.
async fn liked(state: &AppState, profile: Option<Profile>, posts: &[Post]) -> Result<HashSet<Id>, StoreError> {
    let Some(profile) = profile else { return Ok(HashSet::new()) };
    let ids: Vec<_> = posts.iter().map(|post| post.id).collect();
    state.store.liked_posts(&profile, &ids).await
}
