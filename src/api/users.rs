use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::activity_body::rfc3339;
use super::error::ApiError;
use super::listing::{Listing, tell_length};
use super::page::Page;
use super::path::{AtHandle, NO_SUCH_USER};
use super::schema::{HandleText, IdText, TimeText};
use super::{AppState, Compat};
use crate::domain::{Author, Profile};
use crate::store::ListedPost;

/// A user in a word.
#[derive(Serialize, JsonSchema)]
pub(super) struct ShortUserResponse {
    #[schemars(extend("format" = "uuid"))]
    uuid: String,
    #[schemars(with = "HandleText")]
    handle: String,
    display_name: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct UserFeedResponse {
    profile: ProfileResponse,
    activities: Vec<FeedPostResponse>,
}

#[derive(Serialize, JsonSchema)]
struct ProfileResponse {
    #[schemars(extend("format" = "uuid"))]
    uuid: String,
    #[schemars(with = "HandleText")]
    handle: String,
    display_name: String,
    bio: String,
    cruds_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct FeedPostResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
    #[schemars(with = "TimeText")]
    created_at: String,
    #[schemars(with = "TimeText")]
    expires_at: String,
}

/// A user, and the user's newest posts that have not expired.
pub(super) async fn feed(
    State(state): State<AppState>,
    AtHandle(handle): AtHandle,
    page: Page,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let span = info_span!("user-feed", app.now = rfc3339(now), app.result_length = Empty);
    async {
        let route = format!("/api/activities/@{}", handle.as_str());
        let list = Listing::open_at(&state, &route, None, page, now)?;
        let user = state.store.user(&handle).await?.ok_or(NO_SUCH_USER)?;
        let user_uuid = user.author.user_uuid;
        let (profile, found, count) = tokio::try_join!(
            state.store.profile(&user.sub),
            state.store.feed(user_uuid, now, list.limit, list.before),
            state.store.posts_count(user_uuid, now),
        )?;
        let profile = profile.ok_or(NO_SUCH_USER)?;
        tell_length(found.rows.len());
        let activities = found.rows.iter().map(FeedPostResponse::from).collect();
        let profile = ProfileResponse::new(profile, count);
        let mut response = match state.compat {
            Compat::Later => Json(UserFeedResponse { profile, activities }).into_response(),
            Compat::Week2 => Json(activities).into_response(),
        };
        list.link(&mut response, found.next);
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Who has that handle.
pub(super) async fn short(
    State(state): State<AppState>,
    AtHandle(handle): AtHandle,
) -> Result<Json<ShortUserResponse>, ApiError> {
    let found = state.store.user(&handle).instrument(info_span!("short-user")).await?;
    Ok(Json(ShortUserResponse::from(found.ok_or(NO_SUCH_USER)?.author)))
}

impl From<Author> for ShortUserResponse {
    fn from(author: Author) -> Self {
        Self {
            uuid: author.user_uuid.to_string(),
            handle: author.handle.as_str().to_owned(),
            display_name: author.display_name,
        }
    }
}

impl ProfileResponse {
    fn new(profile: Profile, cruds_count: u64) -> Self {
        let ShortUserResponse { uuid, handle, display_name } = profile.author.into();
        Self { uuid, handle, display_name, bio: profile.bio, cruds_count }
    }
}

impl From<&ListedPost> for FeedPostResponse {
    fn from(post: &ListedPost) -> Self {
        Self {
            uuid: post.id.to_string(),
            display_name: post.author.display_name.clone(),
            handle: post.author.handle.as_str().to_owned(),
            message: post.message.as_str().to_owned(),
            created_at: rfc3339(post.id.created_at()),
            expires_at: rfc3339(post.expires_at),
        }
    }
}
