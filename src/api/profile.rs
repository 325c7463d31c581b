use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::error::ApiError;
use super::idempotency::{Idempotent, answer, tell};
use super::identity::SignedIn;
use super::schema;
use super::users::ShortUserResponse;
use crate::domain::ProfileEdit;
use crate::store::{StoreError, keys};

/// What a client sends to change the profile. What is missing is treated as blank, as the original does.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "display_name": "Andrew Brown", "bio": "Cloud is (very) fun!" }))]
pub(super) struct UpdateProfileRequest {
    /// The name to show.
    #[schemars(required, length(min = 1, max = ProfileEdit::MAX_DISPLAY_NAME), regex(pattern = schema::NAME))]
    display_name: Option<String>,
    /// A few words about the user.
    #[schemars(length(max = ProfileEdit::MAX_BIO), regex(pattern = schema::ANY_TEXT))]
    bio: Option<String>,
}

/// Changes the name and the bio of the user who signed in.
pub(super) async fn update(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Idempotent { request, once }: Idempotent<UpdateProfileRequest>,
) -> Result<Response, ApiError> {
    let span = info_span!(
        "update-profile",
        app.user_id = state.keys.user_id(&principal.sub),
        app.replayed = Empty,
        app.validation_codes = Empty,
    );
    async {
        let span = Span::current();
        let (name, bio) = (request.display_name.unwrap_or_default(), request.bio.unwrap_or_default());
        let edit = ProfileEdit::parse(&name, &bio).inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        let (profile, before) =
            tokio::try_join!(state.store.profile(&principal.sub), state.store.made_before(once.as_ref()))?;
        let written = match before {
            Some(before) => before,
            None => {
                let profile = profile.ok_or(ApiError::NoProfile)?;
                let changed = state.store.update_profile(state.clock.new_id(), profile, &edit, once.as_ref()).await;
                changed.map_err(no_profile)?
            }
        };
        tell(&span, &written);
        Ok(answer(written.replayed, ShortUserResponse::from(written.made.author)))
    }
    .instrument(span)
    .await
}

/// The claim of a handle goes with its profile.
fn no_profile(error: StoreError) -> ApiError {
    if error.is_conflict_on(keys::HANDLE) { ApiError::NoProfile } else { error.into() }
}
