use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::activity_body::CounterFields;
use super::error::ApiError;
use super::fields::{HandleText, IdText, TimeText, UserIdText, rfc3339};
use super::pagination::{PageRequest, Paginator, record_result_length};
use super::path::{AtHandle, NO_SUCH_USER};
use super::{AppState, Compat};
use crate::domain::{Author, Post, Profile};

/// A user's id and names.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ShortUserResponse {
    uuid: UserIdText,
    handle: HandleText,
    display_name: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct UserFeedResponse {
    profile: ProfileResponse,
    activities: Vec<FeedPostResponse>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct ProfileResponse {
    uuid: UserIdText,
    handle: HandleText,
    display_name: String,
    bio: String,
    /// The number of unexpired posts, at most 100.
    cruds_count: u64,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct FeedPostResponse {
    uuid: IdText,
    display_name: String,
    handle: HandleText,
    message: String,
    created_at: TimeText,
    expires_at: TimeText,
    #[serde(flatten)]
    counters: CounterFields,
}

/// Returns a user and the user's unexpired posts, newest first.
pub(super) async fn feed(
    State(state): State<AppState>,
    AtHandle(handle): AtHandle,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let span = info_span!("user-feed", app.now = rfc3339(now), app.result_length = Empty);
    async {
        let page = Paginator::open(&state, page.bind_to(format_args!("@{}", handle.folded())), None, now)?;
        let user = state.store.user(&handle).await?.ok_or(NO_SUCH_USER)?;
        let user_uuid = user.author.user_uuid;
        let count = async {
            match state.compat {
                Compat::Later => state.store.posts_count(user_uuid, now).await,
                // The response has no profile.
                Compat::Week2 => Ok(0),
            }
        };
        let (profile, found, count) = tokio::try_join!(
            state.store.profile(&user.sub),
            state.store.feed(user_uuid, now, page.limit, page.before),
            count,
        )?;
        let profile = profile.ok_or(NO_SUCH_USER)?;
        record_result_length(found.rows.len());
        let activities = found.rows.iter().map(FeedPostResponse::from).collect();
        let profile = ProfileResponse::new(profile, count);
        let mut response = match state.compat {
            Compat::Later => Json(UserFeedResponse { profile, activities }).into_response(),
            Compat::Week2 => Json(activities).into_response(),
        };
        page.add_link(&mut response, found.next);
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Returns the user with a handle.
pub(super) async fn short(
    State(state): State<AppState>,
    AtHandle(handle): AtHandle,
) -> Result<Json<ShortUserResponse>, ApiError> {
    let found = state.store.user(&handle).instrument(info_span!("short-user")).await?;
    Ok(Json(ShortUserResponse::from(found.ok_or(NO_SUCH_USER)?.author)))
}

impl From<Author> for ShortUserResponse {
    fn from(author: Author) -> Self {
        Self { uuid: author.user_uuid.into(), handle: (&author.handle).into(), display_name: author.display_name }
    }
}

impl ProfileResponse {
    fn new(profile: Profile, cruds_count: u64) -> Self {
        let ShortUserResponse { uuid, handle, display_name } = profile.author.into();
        Self { uuid, handle, display_name, bio: profile.bio, cruds_count }
    }
}

impl From<&Post> for FeedPostResponse {
    fn from(post: &Post) -> Self {
        Self {
            uuid: post.id.into(),
            display_name: post.author.display_name.clone(),
            handle: (&post.author.handle).into(),
            message: post.message.as_str().to_owned(),
            created_at: post.id.created_at().into(),
            expires_at: post.expires_at.into(),
            counters: post.counters.into(),
        }
    }
}
