use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activities::not_found_on_conflict;
use super::auth::SignedIn;
use super::error::ApiError;
use super::fields::IdText;
use super::path::{ActivityUuid, NO_SUCH_ACTIVITY};
use super::principal::Principal;
use crate::domain::{Id, Reaction, Reactions};

/// A post's counts after a reaction, and the user's own reactions.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ReactionsResponse {
    uuid: IdText,
    likes_count: u64,
    reposts_count: u64,
    liked: bool,
    reposted: bool,
}

/// Likes a post. Repeating the request changes nothing.
pub(super) async fn like(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(id): ActivityUuid,
) -> Result<Json<ReactionsResponse>, ApiError> {
    let span = info_span!("like-activity", app.user_id = Empty, app.activity_uuid = display(id));
    change(&state, &principal, id, Reaction::Like, true).instrument(span).await
}

/// Removes a like. Repeating the request changes nothing.
pub(super) async fn unlike(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(id): ActivityUuid,
) -> Result<Json<ReactionsResponse>, ApiError> {
    let span = info_span!("unlike-activity", app.user_id = Empty, app.activity_uuid = display(id));
    change(&state, &principal, id, Reaction::Like, false).instrument(span).await
}

/// Reposts a post. Repeating the request changes nothing.
pub(super) async fn repost(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(id): ActivityUuid,
) -> Result<Json<ReactionsResponse>, ApiError> {
    let span = info_span!("repost-activity", app.user_id = Empty, app.activity_uuid = display(id));
    change(&state, &principal, id, Reaction::Repost, true).instrument(span).await
}

/// Removes a repost. Repeating the request changes nothing.
pub(super) async fn undo_repost(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(id): ActivityUuid,
) -> Result<Json<ReactionsResponse>, ApiError> {
    let span = info_span!("undo-repost-activity", app.user_id = Empty, app.activity_uuid = display(id));
    change(&state, &principal, id, Reaction::Repost, false).instrument(span).await
}

async fn change(
    state: &AppState,
    principal: &Principal,
    id: Id,
    reaction: Reaction,
    wanted: bool,
) -> Result<Json<ReactionsResponse>, ApiError> {
    Span::current().record("app.user_id", state.keys.user_id(&principal.sub));
    let now = state.clock.now();
    let (profile, found) = tokio::try_join!(state.store.profile(&principal.sub), state.store.post(id, now))?;
    let profile = profile.ok_or(ApiError::NoProfile)?;
    let found = found.ok_or(NO_SUCH_ACTIVITY)?;
    let reactions = if wanted {
        state.store.add_reaction(reaction, &profile, &found, now).await
    } else {
        state.store.remove_reaction(reaction, &profile, &found, now).await
    };
    Ok(Json(ReactionsResponse::new(id, reactions.map_err(not_found_on_conflict)?)))
}

impl ReactionsResponse {
    fn new(id: Id, Reactions { counters, liked, reposted }: Reactions) -> Self {
        let (likes_count, reposts_count) = (counters.likes, counters.reposts);
        Self { uuid: id.into(), likes_count, reposts_count, liked, reposted }
    }
}
