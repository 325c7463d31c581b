use std::collections::HashSet;

use axum::extract::{Extension, State};
use axum::response::Response;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::activity_body::{ActivityResponse, ReplyResponse, rfc3339};
use super::error::ApiError;
use super::identity::Principal;
use super::listing::{Listing, tell_length};
use super::page::{MAX_LIMIT, Page};
use super::{AppState, Compat};
use crate::domain::{Id, Post, Profile};
use crate::store::StoreError;

/// The newest posts that have not expired; for a user who signed in, with which of them the user likes.
pub(super) async fn home(
    State(state): State<AppState>,
    principal: Option<Extension<Principal>>,
    page: Page,
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
        let list = Listing::open_at(&state, "/api/activities/home", principal.as_ref(), page, now)?;
        let (found, profile) =
            tokio::try_join!(state.store.home(now, list.limit, list.before), profile(&state, principal.as_ref()))?;
        tell_length(found.rows.len());
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
        Ok(list.respond(rows, found.next))
    }
    .instrument(span)
    .await
}

/// Each post with the replies to it, below each other as the original's first pages show them.
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

/// A user without a profile yet can have liked nothing.
async fn liked(state: &AppState, profile: Option<Profile>, posts: &[Post]) -> Result<HashSet<Id>, StoreError> {
    let Some(profile) = profile else { return Ok(HashSet::new()) };
    let ids: Vec<_> = posts.iter().map(|post| post.id).collect();
    state.store.liked_posts(&profile, &ids).await
}
