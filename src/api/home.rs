use std::collections::HashSet;

use axum::extract::{Extension, State};
use axum::response::Response;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::activity_body::{ActivityResponse, rfc3339};
use super::error::ApiError;
use super::identity::Principal;
use super::listing::{Listing, tell_length};
use super::page::{MAX_LIMIT, Page};
use super::{AppState, Compat};
use crate::domain::{Activity, Profile};

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
        tell_length(found.activities.len());
        let mut rows: Vec<_> = found.activities.iter().map(ActivityResponse::from).collect();
        if principal.is_some() {
            let liked = liked(&state, profile, &found.activities).await?;
            for (row, activity) in rows.iter_mut().zip(&found.activities) {
                row.liked = Some(liked.contains(&activity.id()));
            }
        }
        if state.compat == Compat::Week2 {
            rows = with_replies(&state, rows, &found.activities, now).await?;
        }
        Ok(list.respond(rows, found.next))
    }
    .instrument(span)
    .await
}

/// Each post with the replies to it, below each other as the original's first pages show them.
async fn with_replies(
    state: &AppState,
    rows: Vec<ActivityResponse>,
    activities: &[Activity],
    now: Timestamp,
) -> Result<Vec<ActivityResponse>, ApiError> {
    let replies = activities.iter().map(async |activity| match activity.counters().replies {
        0 => Ok(Vec::new()),
        _ => Ok::<_, ApiError>(state.store.replies(activity.id(), now, MAX_LIMIT, None).await?.replies),
    });
    let replies = try_join_all(replies).await?;
    Ok(rows.into_iter().zip(replies).map(|(row, replies)| row.with_replies(&replies)).collect())
}

async fn profile(state: &AppState, principal: Option<&Principal>) -> Result<Option<Profile>, crate::store::StoreError> {
    match principal {
        Some(principal) => state.store.profile(&principal.sub).await,
        None => Ok(None),
    }
}

/// A user without a profile yet can have liked nothing.
async fn liked(
    state: &AppState,
    profile: Option<Profile>,
    activities: &[Activity],
) -> Result<HashSet<crate::domain::Id>, ApiError> {
    let Some(profile) = profile else { return Ok(HashSet::new()) };
    let ids: Vec<_> = activities.iter().map(Activity::id).collect();
    Ok(state.store.liked(&profile, &ids).await?)
}
