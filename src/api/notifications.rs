use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::auth::SignedIn;
use super::error::ApiError;
use super::fields::{HandleText, IdText, TimeText};
use super::pagination::{PageRequest, Paginator, record_result_length};
use crate::domain::{Counters, Subject};
use crate::store::NotificationRow;

const UNREAD_COUNT: HeaderName = HeaderName::from_static("x-unread-count");

/// A notification in the form of a post. `uuid`, `message` and the counts are those of the post or reply that it is
/// about; the names are those of the acting user. `message` is empty for a conversation, which is private.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct NotificationResponse {
    uuid: IdText,
    display_name: String,
    handle: HandleText,
    message: String,
    replies_count: u64,
    reposts_count: u64,
    likes_count: u64,
    reply_to_activity_uuid: Option<IdText>,
    message_group_uuid: Option<IdText>,
    expires_at: TimeText,
    created_at: TimeText,
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = crate::domain::NotificationKind::ALL.map(crate::domain::NotificationKind::as_str))))]
    kind: &'static str,
    unread: bool,
    /// The trace id of the request that caused the notification.
    trace_id: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ReadResponse {
    unread_count: usize,
}

/// Lists the user's notifications, newest first.
pub(super) async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let span = info_span!(
        "notifications",
        app.result_length = Empty,
        app.unread_count = Empty,
        app.user_id = state.keys.user_id(&principal.sub),
    );
    async {
        let page = Paginator::open(&state, page, Some(&principal), state.clock.now())?;
        let found = state.store.notifications(&principal.sub, page.now, page.limit, page.before).await?;
        record_result_length(found.rows.len());
        Span::current().record("app.unread_count", i64::try_from(found.unread).ok());
        let rows: Vec<_> = found.rows.iter().map(NotificationResponse::from).collect();
        let mut response = page.respond(rows, found.next);
        response.headers_mut().insert(UNREAD_COUNT, HeaderValue::from(found.unread));
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Marks all of the user's notifications as read.
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
            uuid: notification.subject.id().into(),
            display_name: row.actor.display_name.clone(),
            handle: (&row.actor.handle).into(),
            message: row.post.as_ref().map(|post| post.message.as_str().to_owned()).unwrap_or_default(),
            replies_count: counters.replies,
            reposts_count: counters.reposts,
            likes_count: counters.likes,
            reply_to_activity_uuid: parent.map(IdText::from),
            message_group_uuid: group.map(IdText::from),
            expires_at: notification.expires_at.into(),
            created_at: notification.id.created_at().into(),
            kind: notification.kind.as_str(),
            unread: row.unread,
            trace_id: notification.trace_context.as_deref().and_then(lambda_spans::trace_id_of),
        }
    }
}
