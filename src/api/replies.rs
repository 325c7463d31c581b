use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activities::gone;
use super::activity_body::CreatedResponse;
use super::error::ApiError;
use super::idempotency::{Idempotent, answer, tell};
use super::identity::SignedIn;
use super::path::{ActivityUuid, NO_SUCH_ACTIVITY};
use super::schema::{self, IdText};
use crate::domain::{Counters, Id, Message, Post};

/// What a client sends to reply. The original's page says again what it replies to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "message": "This post has no honor!" }))]
pub(super) struct CreateReplyRequest {
    /// What it says; `@handle` tells that user of it.
    #[schemars(required, length(min = 1, max = Message::MAX_REPLY), regex(pattern = schema::TEXT))]
    message: Option<String>,
    /// The id of the path again, or nothing.
    #[schemars(with = "Option<IdText>")]
    activity_uuid: Option<String>,
}

/// A new reply of the user who signed in, to a post or to another reply.
pub(super) async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(parent): ActivityUuid,
    Idempotent { request, once }: Idempotent<CreateReplyRequest>,
) -> Result<Response, ApiError> {
    let span = info_span!(
        "create-reply",
        app.user_id = state.keys.user_id(&principal.sub),
        app.activity_uuid = Empty,
        app.reply_to_activity_uuid = display(parent),
        app.replayed = Empty,
        app.validation_codes = Empty,
    );
    async {
        let span = Span::current();
        request.is_to(parent)?;
        let message = Message::reply(&request.message.unwrap_or_default()).inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        let (profile, found, before) = tokio::try_join!(
            state.store.profile(&principal.sub),
            state.store.post(parent, state.clock.now()),
            state.store.made_before(once.as_ref()),
        )?;
        let written = match before {
            Some(before) => before,
            None => {
                let profile = profile.ok_or(ApiError::NoProfile)?;
                let found = found.ok_or(NO_SUCH_ACTIVITY)?;
                let reply = Post::reply(state.clock.new_id(), &found.post, profile.author.clone(), message.clone());
                state.store.create_reply(&profile, &found, &reply, once.as_ref()).await.map_err(gone)?
            }
        };
        tell(&span, &written);
        let made = written.made;
        span.record("app.activity_uuid", display(made.id));
        let expires_at = made.expires_at.unwrap_or_else(|| made.id.created_at());
        let (id, author, counters) = (made.id, made.author, Counters::default());
        let reply = Post { id, parent: Some(parent), author, message, expires_at, counters };
        Ok(answer(written.replayed, CreatedResponse::from(&reply)))
    }
    .instrument(span)
    .await
}

impl CreateReplyRequest {
    fn is_to(&self, parent: Id) -> Result<(), ApiError> {
        match self.activity_uuid.as_deref() {
            Some(named) if Id::parse(named) != Some(parent) => Err(ApiError::BadRequest(
                "`activity_uuid` of the body is not that of the path: leave it out, or send the same.".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }
}
