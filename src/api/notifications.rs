use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::activity_body::rfc3339;
use super::error::ApiError;
use super::identity::SignedIn;
use super::listing::{Listing, tell_length};
use super::page::Page;
use super::schema::{HandleText, IdText, TimeText};
use crate::domain::{Counters, NotificationKind, Subject};
use crate::store::NotificationRow;

const UNREAD_COUNT: HeaderName = HeaderName::from_static("x-unread-count");

/// Who did what, as a post in a list: its `uuid`, `message` and counters are those of the post or reply that it is
/// about, its name is of who did it. A conversation is private: its row has an empty one.
#[derive(Serialize, JsonSchema)]
pub(super) struct NotificationResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
    replies_count: u64,
    reposts_count: u64,
    likes_count: u64,
    #[schemars(with = "Option<IdText>")]
    reply_to_activity_uuid: Option<String>,
    #[schemars(with = "Option<IdText>")]
    message_group_uuid: Option<String>,
    #[schemars(with = "TimeText")]
    expires_at: String,
    #[schemars(with = "TimeText")]
    created_at: String,
    #[schemars(extend("enum" = NotificationKind::ALL.map(NotificationKind::as_str)))]
    kind: &'static str,
    unread: bool,
    /// The trace of the request that caused it.
    trace_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ReadResponse {
    unread_count: usize,
}

/// What others did that concerns the user.
pub(super) async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    page: Page,
) -> Result<Response, ApiError> {
    let span = info_span!(
        "notifications",
        app.result_length = Empty,
        app.unread_count = Empty,
        app.user_id = state.keys.user_id(&principal.sub),
    );
    async {
        let list = Listing::open(&state, "/api/activities/notifications", Some(&principal), page)?;
        let found = state.store.notifications(&principal.sub, list.now, list.limit, list.before).await?;
        tell_length(found.rows.len());
        Span::current().record("app.unread_count", i64::try_from(found.unread).ok());
        let rows: Vec<_> = found.rows.iter().map(NotificationResponse::from).collect();
        let mut response = list.respond(rows, found.next);
        response.headers_mut().insert(UNREAD_COUNT, HeaderValue::from(found.unread));
        Ok(response)
    }
    .instrument(span)
    .await
}

/// The user has seen them.
pub(super) async fn mark_read(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
) -> Result<Response, ApiError> {
    let span = info_span!("read-notifications", app.user_id = state.keys.user_id(&principal.sub));
    state.store.mark_notifications_read(&principal.sub, state.clock.now()).instrument(span).await?;
    Ok(([(UNREAD_COUNT, HeaderValue::from(0))], Json(ReadResponse { unread_count: 0 })).into_response())
}

impl From<&NotificationRow> for NotificationResponse {
    fn from(row: &NotificationRow) -> Self {
        let notification = &row.notification;
        let counters = row.post.as_ref().map_or(Counters::default(), |post| post.counters);
        let (parent, group) = match notification.subject {
            Subject::Post { parent, .. } => (parent, None),
            Subject::Conversation(conversation) => (None, Some(conversation)),
        };
        Self {
            uuid: notification.subject.id().to_string(),
            display_name: row.actor.display_name.clone(),
            handle: row.actor.handle.as_str().to_owned(),
            message: row.post.as_ref().map(|post| post.message.as_str().to_owned()).unwrap_or_default(),
            replies_count: counters.replies,
            reposts_count: counters.reposts,
            likes_count: counters.likes,
            reply_to_activity_uuid: parent.map(|parent| parent.to_string()),
            message_group_uuid: group.map(|group| group.to_string()),
            expires_at: rfc3339(notification.expires_at),
            created_at: rfc3339(notification.id.created_at()),
            kind: notification.kind.as_str(),
            unread: row.unread,
            trace_id: notification.trace_context.as_deref().and_then(lambda_spans::trace_id_of),
        }
    }
}
