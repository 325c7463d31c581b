use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activities::not_found_on_conflict;
use super::activity_body::CreatedResponse;
use super::auth::SignedIn;
use super::error::ApiError;
use super::idempotency::{Idempotent, record_replay, respond};
use super::path::{ActivityUuid, NO_SUCH_ACTIVITY};
use crate::domain::{Counters, Id, Message, Post};

/// A new reply.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(schemars::JsonSchema),
    schemars(example = serde_json::json!({ "message": "This post has no honor!" })),
)]
pub(super) struct CreateReplyRequest {
    /// The text. `@handle` mentions a user, who gets a notification.
    #[cfg_attr(
        feature = "openapi",
        schemars(required, length(min = 1, max = Message::MAX_REPLY), regex(pattern = super::schema::TEXT)),
    )]
    message: Option<String>,
    /// The same id as in the path. The original's page sends it.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<super::fields::IdText>"))]
    activity_uuid: Option<String>,
}

/// Creates a reply to a post or to another reply.
pub(super) async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    ActivityUuid(parent): ActivityUuid,
    Idempotent { request, key }: Idempotent<CreateReplyRequest>,
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
        request.check_parent(parent)?;
        let message = Message::reply(&request.message.unwrap_or_default()).inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        let (profile, found, before) = tokio::try_join!(
            state.store.profile(&principal.sub),
            state.store.post(parent, state.clock.now()),
            state.store.earlier_write(key.as_ref()),
        )?;
        let written = match before {
            Some(before) => before,
            None => {
                let profile = profile.ok_or(ApiError::NoProfile)?;
                let found = found.ok_or(NO_SUCH_ACTIVITY)?;
                let reply = Post::reply(state.clock.new_id(), &found.post, profile.author.clone(), message.clone());
                state.store.create_reply(&profile, &found, &reply, key.as_ref()).await.map_err(not_found_on_conflict)?
            }
        };
        record_replay(&span, &written);
        let record = written.record;
        span.record("app.activity_uuid", display(record.id));
        let expires_at = record.expires_at.unwrap_or_else(|| record.id.created_at());
        let (id, author, counters) = (record.id, record.author, Counters::default());
        let reply = Post { id, parent: Some(parent), author, message, expires_at, counters };
        Ok(respond(written.replayed, CreatedResponse::new(&reply, state.compat)))
    }
    .instrument(span)
    .await
}

impl CreateReplyRequest {
    fn check_parent(&self, parent: Id) -> Result<(), ApiError> {
        match self.activity_uuid.as_deref() {
            Some(named) if Id::parse(named) != Some(parent) => Err(ApiError::BadRequest(
                "`activity_uuid` must equal the id in the path. Omit it or send the same id.".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }
}
