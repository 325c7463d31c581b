use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::auth::SignedIn;
use super::error::ApiError;
use super::idempotency::{Idempotent, record_replay, respond};
use super::message_body::{
    ConversationResponse, CreateMessageRequest, CreateMessageResponse, MessageResponse, OpenedResponse, SentResponse,
};
use super::pagination::{PageRequest, Paginator, record_result_length};
use super::path::NO_SUCH_USER;
use super::principal::Principal;
use crate::domain::{Code, DirectMessage, Handle, Id, Invalid, Message, MessageDraft, Profile, Recipient, User};
use crate::store::{IdempotencyKey, StoreError, WriteOutcome, keys};

const NO_SUCH_CONVERSATION: ApiError = ApiError::NotFound("The conversation does not exist, or you are not a member.");
/// Attempts to open a conversation. Another request may open it first, but only once.
const ATTEMPTS: usize = 3;

/// Lists the user's conversations, ordered by their newest message.
pub(super) async fn list_groups(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let span =
        info_span!("message-groups", app.result_length = Empty, app.user_id = state.keys.user_id(&principal.sub));
    async {
        let page = Paginator::open(&state, page, Some(&principal), state.clock.now())?;
        let found = state.store.conversations(&principal.sub, page.limit, page.before).await?;
        record_result_length(found.rows.len());
        let rows: Vec<_> = found.rows.iter().map(ConversationResponse::from).collect();
        Ok(page.respond(rows, found.next))
    }
    .instrument(span)
    .await
}

/// Lists the messages of a conversation, newest page first. The path has its id, or `@` and the other user's handle.
pub(super) async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    conversation: Result<Path<String>, PathRejection>,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let Ok(Path(conversation)) = conversation else {
        return Err(ApiError::BadRequest("The path is not valid UTF-8.".to_owned()));
    };
    let span = info_span!(
        "messages",
        app.message_group_uuid = Empty,
        app.result_length = Empty,
        app.user_id = state.keys.user_id(&principal.sub)
    );
    async {
        let page = Paginator::open(&state, page, Some(&principal), state.clock.now())?;
        let group = match conversation.strip_prefix('@') {
            None => Id::parse(&conversation).ok_or(NO_SUCH_CONVERSATION)?,
            Some(handle) => match conversation_with(&state, &principal, handle).await? {
                Some(group) => group,
                None => return Ok(page.respond([(); 0], None)),
            },
        };
        Span::current().record("app.message_group_uuid", display(group));
        let (me, other, found) = tokio::try_join!(
            state.store.profile(&principal.sub),
            state.store.other_member(&principal.sub, group),
            state.store.messages(group, page.limit, page.before),
        )?;
        let other = other.ok_or(NO_SUCH_CONVERSATION)?;
        let me = me.ok_or(ApiError::NoProfile)?;
        record_result_length(found.rows.len());
        let rows = found.rows.iter().map(|message| MessageResponse::from_message(message, &me.author, &other.author));
        Ok(page.respond(rows.collect::<Vec<_>>(), found.next))
    }
    .instrument(span)
    .await
}

/// Sends a message to a conversation or to a user. The first message to a user opens the conversation.
pub(super) async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Idempotent { request, key }: Idempotent<CreateMessageRequest>,
) -> Result<Response, ApiError> {
    let span = info_span!(
        "create-message",
        app.message_group_uuid = Empty,
        app.message_uuid = Empty,
        app.replayed = Empty,
        app.user_id = state.keys.user_id(&principal.sub),
        app.validation_codes = Empty,
    );
    async {
        let span = Span::current();
        let MessageDraft { message, recipient } = request.draft().inspect_err(|error| {
            span.record("app.validation_codes", display(error));
        })?;
        let (me, before, receiver) = tokio::try_join!(
            state.store.profile(&principal.sub),
            state.store.earlier_write(key.as_ref()),
            receiver(&state, &principal, &recipient),
        )?;
        let sent = match before {
            Some(before) => before,
            None => {
                let me = me.ok_or(ApiError::NoProfile)?;
                let receiver = receiver.ok_or(match recipient {
                    Recipient::Conversation(_) => NO_SUCH_CONVERSATION,
                    Recipient::Handle(_) => NO_SUCH_USER,
                })?;
                OutgoingMessage { state: &state, me, message: &message, key }.send_to(receiver).await?
            }
        };
        let record = &sent.record;
        let group = record
            .message_group_uuid
            .ok_or(StoreError::Corrupt { entity: keys::IDEMPOTENCY, attribute: "message_group_uuid" })?;
        span.record("app.message_group_uuid", display(group));
        span.record("app.message_uuid", display(record.id));
        record_replay(&span, &sent);
        let response = if request.opens_conversation() {
            CreateMessageResponse::Opened(OpenedResponse { message_group_uuid: group.into() })
        } else {
            let message = MessageResponse::new(record.id, &record.author, message.as_str());
            CreateMessageResponse::Sent(SentResponse::new(group.into(), message))
        };
        Ok(respond(sent.replayed, response))
    }
    .instrument(span)
    .await
}

/// Returns the conversation with the user of that handle, if there is one.
async fn conversation_with(state: &AppState, principal: &Principal, handle: &str) -> Result<Option<Id>, ApiError> {
    let handle = Handle::parse(handle).map_err(|_not_one| NO_SUCH_USER)?;
    let (me, other) = tokio::try_join!(state.store.profile(&principal.sub), state.store.user(&handle))?;
    let other = other.filter(|other| other.sub != principal.sub).ok_or(NO_SUCH_USER)?;
    let me = me.ok_or(ApiError::NoProfile)?;
    Ok(state.store.conversation_between(me.author.user_uuid, other.author.user_uuid).await?)
}

/// The receiver of a message, and the conversation if the request names it.
struct Receiver {
    user: User,
    group: Option<Id>,
}

/// Returns `None` if the user or the conversation does not exist.
async fn receiver(
    state: &AppState,
    principal: &Principal,
    recipient: &Recipient,
) -> Result<Option<Receiver>, StoreError> {
    match recipient {
        Recipient::Conversation(group) => {
            let Some(group) = Id::parse(group) else { return Ok(None) };
            let user = state.store.other_member(&principal.sub, group).await?;
            Ok(user.map(|user| Receiver { user, group: Some(group) }))
        }
        Recipient::Handle(handle) => {
            let Ok(handle) = Handle::parse(handle) else { return Ok(None) };
            Ok(state.store.user(&handle).await?.map(|user| Receiver { user, group: None }))
        }
    }
}

/// A message to be stored.
struct OutgoingMessage<'a> {
    state: &'a AppState,
    me: Profile,
    message: &'a Message,
    key: Option<IdempotencyKey>,
}

impl OutgoingMessage<'_> {
    async fn send_to(&self, Receiver { user: other, group }: Receiver) -> Result<WriteOutcome, ApiError> {
        let store = &self.state.store;
        if let Some(group) = group {
            return self.append(group, &other.sub).await;
        }
        if other.sub == self.me.sub {
            return Err(Invalid::new(Code::UserReceiverIsSender).into());
        }
        for _ in 0..ATTEMPTS {
            if let Some(group) = store.conversation_between(self.me.author.user_uuid, other.author.user_uuid).await? {
                return self.append(group, &other.sub).await;
            }
            let other = store.profile(&other.sub).await?.ok_or(NO_SUCH_USER)?;
            let first = self.as_message(self.state.clock.new_id());
            match store.open_conversation(&self.me, &other, &first, self.key.as_ref()).await {
                Err(error) if error.is_conflict_on(keys::PAIR) => {}
                opened => return Ok(opened?),
            }
        }
        Err(StoreError::Conflict { on: keys::PAIR }.into())
    }

    async fn append(&self, group: Id, receiver_sub: &str) -> Result<WriteOutcome, ApiError> {
        let message = self.as_message(group);
        Ok(self.state.store.append_message(&message, &self.me, receiver_sub, self.key.as_ref()).await?)
    }

    fn as_message(&self, conversation: Id) -> DirectMessage {
        let (id, sender) = (self.state.clock.new_id(), self.me.author.user_uuid);
        DirectMessage { id, conversation, sender, message: self.message.clone() }
    }
}
