use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activity_body::{ActivityResponse, CreatedResponse, ShowResponse, rfc3339};
use super::cursor::{self, Scope};
use super::error::ApiError;
use super::idempotency::{Idempotent, answer};
use super::identity::{Principal, SignedIn};
use super::page::{Page, next_link};
use crate::domain::{Activity, Draft, Id, Invalid};

/// Replies shown with a post at most.
const MAX_REPLIES: u16 = 100;
const NO_SUCH_ACTIVITY: ApiError = ApiError::NotFound("There is no such activity, or it has expired.");

/// What a client sends to post. What is missing is treated as blank, as the original does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateActivityRequest {
    message: Option<String>,
    ttl: Option<String>,
}

/// The newest posts that have not expired.
pub(super) async fn home(
    State(state): State<AppState>,
    principal: Option<Extension<Principal>>,
    page: Page,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let principal = principal.map(|Extension(principal)| principal);
    let scope = Scope { route: "/api/activities/home", principal: principal.as_ref() };
    let span = info_span!(
        "home-activities",
        app.now = rfc3339(now),
        app.result_length = Empty,
        app.user_id = principal.as_ref().map(|principal| state.keys.user_id(&principal.sub)),
    );
    async {
        let before = page.cursor.map(|cursor| cursor::open(&state.keys, scope, &cursor, now)).transpose()?;
        let found = state.store.home(now, page.limit, before).await?;
        Span::current().record("app.result_length", found.activities.len());
        let rows: Vec<_> = found.activities.iter().map(ActivityResponse::from).collect();
        let mut response = Json(rows).into_response();
        let link = found.next.and_then(|next| next_link(&cursor::seal(&state.keys, scope, next, now), page.limit));
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }
    .instrument(span)
    .await
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
                let activity = Activity::post(state.clock.new_id(), profile.author.clone(), draft.clone());
                state.store.create_activity(&profile, &activity, once.as_ref()).await?
            }
        };
        span.record("app.activity_uuid", display(written.made.id));
        span.record("app.replayed", written.replayed.then_some(true));
        let activity = Activity::post(written.made.id, written.made.author, draft);
        Ok(answer(written.replayed, CreatedResponse::from(&activity)))
    }
    .instrument(span)
    .await
}

/// One post with its replies, the oldest first.
pub(super) async fn show(
    State(state): State<AppState>,
    activity_uuid: Result<Path<String>, PathRejection>,
) -> Result<Json<ShowResponse>, ApiError> {
    let Ok(Path(activity_uuid)) = activity_uuid else {
        return Err(ApiError::BadRequest("The path is not valid UTF-8.".to_owned()));
    };
    let id = Id::parse(&activity_uuid).ok_or(NO_SUCH_ACTIVITY)?;
    let now = state.clock.now();
    let (activity, replies) = tokio::join!(state.store.activity(id, now), state.store.replies(id, now, MAX_REPLIES));
    let activity = activity?.ok_or(NO_SUCH_ACTIVITY)?;
    Ok(Json(ShowResponse::new(&activity, &replies?)))
}

impl CreateActivityRequest {
    fn into_domain(self) -> Result<Draft, Invalid> {
        Draft::parse(&self.message.unwrap_or_default(), &self.ttl.unwrap_or_default())
    }
}
