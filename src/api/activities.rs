use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activity_body::{CreatedResponse, ShowResponse};
use super::auth::SignedIn;
use super::error::ApiError;
use super::fields::IdText;
use super::idempotency::{Idempotent, record_replay, respond};
use super::pagination::{MAX_LIMIT, PageRequest, Paginator, record_result_length};
use super::path::{ActivityUuid, AtHandle, NO_SUCH_ACTIVITY};
use crate::domain::{Id, Invalid, Post, PostDraft};
use crate::store::StoreError;

/// A new post. Validation treats a missing field as blank, as the original does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(schemars::JsonSchema),
    schemars(example = serde_json::json!({ "message": "Hello", "ttl": "7-days" })),
)]
pub(super) struct CreateActivityRequest {
    /// The text. `@handle` mentions a user, who gets a notification.
    #[cfg_attr(
        feature = "openapi",
        schemars(required, length(min = 1, max = crate::domain::Message::MAX_POST), regex(pattern = super::schema::TEXT)),
    )]
    message: Option<String>,
    /// The time until the post expires.
    #[cfg_attr(feature = "openapi", schemars(required, with = "super::schema::TtlText"))]
    ttl: Option<String>,
}

/// A deleted post.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct DeletedResponse {
    uuid: IdText,
}

/// Creates a post.
pub(super) async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Idempotent { request, key }: Idempotent<CreateActivityRequest>,
) -> Result<Response, ApiError> {
    let span = info_span!(
        "create-activity",
        app.user_id = state.keys.user_id(&principal.sub),
        app.activity_uuid = Empty,
        app.ttl = Empty,
        app.replayed = Empty,
        app.validation_codes = Empty,
    );
    async {
        let span = Span::current();
        let draft = request.into_domain().inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        span.record("app.ttl", draft.ttl().as_str());
        let (profile, before) =
            tokio::try_join!(state.store.profile(&principal.sub), state.store.earlier_write(key.as_ref()))?;
        let written = match before {
            Some(before) => before,
            None => {
                let profile = profile.ok_or(ApiError::NoProfile)?;
                let post = Post::new(state.clock.new_id(), profile.author.clone(), draft.clone());
                state.store.create_post(&profile, &post, key.as_ref()).await?
            }
        };
        span.record("app.activity_uuid", display(written.record.id));
        record_replay(&span, &written);
        let post = Post::new(written.record.id, written.record.author, draft);
        Ok(respond(written.replayed, CreatedResponse::new(&post, state.compat)))
    }
    .instrument(span)
    .await
}

/// Returns a post or reply with the replies to it, oldest first.
pub(super) async fn show(
    State(state): State<AppState>,
    ActivityUuid(id): ActivityUuid,
    page: PageRequest,
) -> Result<Response, ApiError> {
    show_if(&state, id, page, |_| true).await
}

/// Returns the same as [`show`] under the original's address, which contains the author's handle.
pub(super) async fn show_status(
    State(state): State<AppState>,
    AtHandle(handle): AtHandle,
    ActivityUuid(id): ActivityUuid,
    page: PageRequest,
) -> Result<Response, ApiError> {
    show_if(&state, id, page, |post| post.author.handle == handle).await
}

async fn show_if(
    state: &AppState,
    id: Id,
    page: PageRequest,
    predicate: impl Fn(&Post) -> bool,
) -> Result<Response, ApiError> {
    let span = info_span!("show-activity", app.activity_uuid = display(id), app.result_length = Empty);
    async {
        let page = page.bind_to(id).default_limit(MAX_LIMIT);
        let page = Paginator::open(state, page, None, state.clock.now())?;
        let replies = state.store.replies(id, page.now, page.limit, page.before);
        let (found, replies) = tokio::join!(state.store.post(id, page.now), replies);
        let post = found?.map(|found| found.post).filter(predicate).ok_or(NO_SUCH_ACTIVITY)?;
        let replies = replies?;
        record_result_length(replies.rows.len());
        Ok(page.respond(ShowResponse::new(&post, &replies.rows), replies.next))
    }
    .instrument(span)
    .await
}

/// Deletes a post or reply of the authenticated user.
pub(super) async fn delete(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(id): ActivityUuid,
) -> Result<Json<DeletedResponse>, ApiError> {
    let user_id = state.keys.user_id(&principal.sub);
    let span = info_span!("delete-activity", app.user_id = user_id, app.activity_uuid = display(id));
    async {
        let found = state.store.post(id, state.clock.now()).await?.ok_or(NO_SUCH_ACTIVITY)?;
        if !found.is_by(&principal.sub) {
            return Err(ApiError::Forbidden("Only the author can delete this."));
        }
        state.store.delete_post(&principal.sub, &found).await.map_err(not_found_on_conflict)?;
        Ok(Json(DeletedResponse { uuid: id.into() }))
    }
    .instrument(span)
    .await
}

/// Maps a conflict to 404: the post was deleted after it was read.
pub(super) fn not_found_on_conflict(error: StoreError) -> ApiError {
    if matches!(error, StoreError::Conflict { .. }) { NO_SUCH_ACTIVITY } else { error.into() }
}

impl CreateActivityRequest {
    fn into_domain(self) -> Result<PostDraft, Invalid> {
        PostDraft::parse(&self.message.unwrap_or_default(), &self.ttl.unwrap_or_default())
    }
}
