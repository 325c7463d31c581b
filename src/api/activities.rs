use axum::Json;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activity_body::{CreatedResponse, ShowResponse};
use super::error::ApiError;
use super::idempotency::{Idempotent, answer, tell};
use super::identity::SignedIn;
use super::listing::{Listing, tell_length};
use super::page::{MAX_LIMIT, Page};
use super::path::{ActivityUuid, AtHandle, NO_SUCH_ACTIVITY};
use super::schema::{self, IdText, TtlText};
use crate::domain::{Id, Invalid, Message, Post, PostDraft};
use crate::store::StoreError;

/// What a client sends to post. What is missing is treated as blank, as the original does.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "message": "Hello", "ttl": "7-days" }))]
pub(super) struct CreateActivityRequest {
    /// What it says; `@handle` tells that user of it.
    #[schemars(required, length(min = 1, max = Message::MAX_POST), regex(pattern = schema::TEXT))]
    message: Option<String>,
    /// How long it lives.
    #[schemars(required, with = "TtlText")]
    ttl: Option<String>,
}

/// What is said of a post that is no more.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeletedResponse {
    #[schemars(with = "IdText")]
    uuid: String,
}

/// A new post of the user who signed in.
pub(super) async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Idempotent { request, once }: Idempotent<CreateActivityRequest>,
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
            tokio::try_join!(state.store.profile(&principal.sub), state.store.made_before(once.as_ref()))?;
        let written = match before {
            Some(before) => before,
            None => {
                let profile = profile.ok_or(ApiError::NoProfile)?;
                let post = Post::new(state.clock.new_id(), profile.author.clone(), draft.clone());
                state.store.create_post(&profile, &post, once.as_ref()).await?
            }
        };
        span.record("app.activity_uuid", display(written.made.id));
        tell(&span, &written);
        let post = Post::new(written.made.id, written.made.author, draft);
        Ok(answer(written.replayed, CreatedResponse::from(&post)))
    }
    .instrument(span)
    .await
}

/// One post or reply with the replies to it, the oldest first.
pub(super) async fn show(
    State(state): State<AppState>,
    ActivityUuid(id): ActivityUuid,
    page: Page,
) -> Result<Response, ApiError> {
    shown(&state, id, page, |_| true).await
}

/// The same by the address that the original's pages have: the handle must be the author's.
pub(super) async fn show_status(
    State(state): State<AppState>,
    AtHandle(handle): AtHandle,
    ActivityUuid(id): ActivityUuid,
    page: Page,
) -> Result<Response, ApiError> {
    shown(&state, id, page, |post| post.author.handle == handle).await
}

async fn shown(state: &AppState, id: Id, page: Page, is_meant: impl Fn(&Post) -> bool) -> Result<Response, ApiError> {
    let span = info_span!("show-activity", app.activity_uuid = display(id), app.result_length = Empty);
    async {
        // The replies are public and the same for everyone, whatever the address.
        let route = format!("/api/activities/{id}");
        let page = Page { limit: page.asked.unwrap_or(MAX_LIMIT), ..page };
        let list = Listing::open(state, &route, None, page)?;
        let replies = state.store.replies(id, list.now, list.limit, list.before);
        let (found, replies) = tokio::join!(state.store.post(id, list.now), replies);
        let post = found?.map(|found| found.post).filter(is_meant).ok_or(NO_SUCH_ACTIVITY)?;
        let replies = replies?;
        tell_length(replies.rows.len());
        Ok(list.respond(ShowResponse::new(&post, &replies.rows), replies.next))
    }
    .instrument(span)
    .await
}

/// Takes back what the user who signed in has posted.
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
            return Err(ApiError::Forbidden("Only who wrote it can delete it."));
        }
        state.store.delete_post(&principal.sub, &found).await.map_err(gone)?;
        Ok(Json(DeletedResponse { uuid: id.to_string() }))
    }
    .instrument(span)
    .await
}

/// What was there when it was read went away before it was changed.
pub(super) fn gone(error: StoreError) -> ApiError {
    if matches!(error, StoreError::Conflict { .. }) { NO_SUCH_ACTIVITY } else { error.into() }
}

impl CreateActivityRequest {
    fn into_domain(self) -> Result<PostDraft, Invalid> {
        PostDraft::parse(&self.message.unwrap_or_default(), &self.ttl.unwrap_or_default())
    }
}
