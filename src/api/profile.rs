use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::auth::SignedIn;
use super::error::ApiError;
use super::idempotency::{Idempotent, record_replay, respond};
use super::users::ShortUserResponse;
use crate::domain::ProfileEdit;
use crate::store::{StoreError, keys};

/// A changed profile. Validation treats a missing field as blank, as the original does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(schemars::JsonSchema),
    schemars(example = serde_json::json!({ "display_name": "Andrew Brown", "bio": "Cloud is (very) fun!" })),
)]
pub(super) struct UpdateProfileRequest {
    /// The display name.
    #[cfg_attr(
        feature = "openapi",
        schemars(
            required,
            length(min = 1, max = ProfileEdit::MAX_DISPLAY_NAME),
            regex(pattern = super::schema::DISPLAY_NAME),
        ),
    )]
    display_name: Option<String>,
    /// A short description of the user.
    #[cfg_attr(
        feature = "openapi",
        schemars(length(max = ProfileEdit::MAX_BIO), regex(pattern = super::schema::TEXT_OR_BLANK)),
    )]
    bio: Option<String>,
}

/// Changes the display name and bio of the authenticated user.
pub(super) async fn update(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Idempotent { request, key }: Idempotent<UpdateProfileRequest>,
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
            tokio::try_join!(state.store.profile(&principal.sub), state.store.earlier_write(key.as_ref()))?;
        let written = match before {
            Some(before) => before,
            None => {
                let profile = profile.ok_or(ApiError::NoProfile)?;
                let changed = state.store.update_profile(state.clock.new_id(), profile, &edit, key.as_ref()).await;
                changed.map_err(no_profile_on_conflict)?
            }
        };
        record_replay(&span, &written);
        Ok(respond(written.replayed, ShortUserResponse::from(written.record.author)))
    }
    .instrument(span)
    .await
}

/// Maps a conflict on the handle item to `no_profile`: the handle item is deleted together with its profile.
fn no_profile_on_conflict(error: StoreError) -> ApiError {
    if error.is_conflict_on(keys::HANDLE) { ApiError::NoProfile } else { error.into() }
}
