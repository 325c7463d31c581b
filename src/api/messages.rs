use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::AppState;
use super::error::ApiError;
use super::idempotency::{Idempotent, answer, tell};
use super::identity::{Principal, SignedIn};
use super::listing::{Listing, tell_length};
use super::message_body::{ConversationResponse, CreateMessageRequest, MessageResponse, OpenedResponse, SentResponse};
use super::page::Page;
use super::path::NO_SUCH_USER;
use crate::domain::{Code, DirectMessage, Handle, Id, Invalid, Message, MessageDraft, Profile, Recipient, User};
use crate::store::{Once, StoreError, Written, keys};

const NO_SUCH_CONVERSATION: ApiError = ApiError::NotFound("There is no such conversation of yours.");
/// Another request may open the conversation between our looking and our opening it, but only once.
const ATTEMPTS: usize = 3;

/// The user's conversations, that with the newest message first.
pub(super) async fn groups(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    page: Page,
) -> Result<Response, ApiError> {
    let span =
        info_span!("message-groups", app.result_length = Empty, app.user_id = state.keys.user_id(&principal.sub));
    async {
        let list = Listing::open(&state, "/api/message_groups", Some(&principal), page)?;
        let found = state.store.conversations(&principal.sub, list.limit, list.before).await?;
        tell_length(found.rows.len());
        let rows: Vec<_> = found.rows.iter().map(ConversationResponse::from).collect();
        Ok(list.respond(rows, found.next))
    }
    .instrument(span)
    .await
}

/// The newest messages of a conversation, named by its id or by `@` and the handle of the other user.
pub(super) async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    conversation: Result<Path<String>, PathRejection>,
    page: Page,
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
        let list = Listing::open(&state, "/api/messages/{message_group_uuid}", Some(&principal), page)?;
        let group = match conversation.strip_prefix('@') {
            None => Id::parse(&conversation).ok_or(NO_SUCH_CONVERSATION)?,
            Some(handle) => match with(&state, &principal, handle).await? {
                Some(group) => group,
                None => return Ok(list.respond([(); 0], None)),
            },
        };
        Span::current().record("app.message_group_uuid", display(group));
        let (me, other, found) = tokio::try_join!(
            state.store.profile(&principal.sub),
            state.store.other_member(&principal.sub, group),
            state.store.messages(group, list.limit, list.before),
        )?;
        let other = other.ok_or(NO_SUCH_CONVERSATION)?;
        let me = me.ok_or(ApiError::NoProfile)?;
        tell_length(found.rows.len());
        let rows = found.rows.iter().map(|message| MessageResponse::of(message, &me.author, &other.author));
        Ok(list.respond(rows.collect::<Vec<_>>(), found.next))
    }
    .instrument(span)
    .await
}

/// Writes to a conversation, or to a user: that opens the one conversation with them, if there is none yet.
pub(super) async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Idempotent { request, once }: Idempotent<CreateMessageRequest>,
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
            state.store.made_before(once.as_ref()),
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
                Post { state: &state, me, message: &message, once }.to(receiver).await?
            }
        };
        let made = &sent.made;
        let group = made.message_group_uuid.map(|group| group.to_string()).unwrap_or_default();
        span.record("app.message_group_uuid", &group);
        span.record("app.message_uuid", display(made.id));
        tell(&span, &sent);
        if request.goes_on_to_conversation() {
            return Ok(answer(sent.replayed, OpenedResponse { message_group_uuid: group }));
        }
        let shown = MessageResponse::new(made.id, &made.author, message.as_str());
        Ok(answer(sent.replayed, SentResponse::new(group, shown)))
    }
    .instrument(span)
    .await
}

/// The conversation of the user with the one of that handle, if they have one.
async fn with(state: &AppState, principal: &Principal, handle: &str) -> Result<Option<Id>, ApiError> {
    let handle = Handle::parse(handle).map_err(|_not_one| NO_SUCH_USER)?;
    let (me, other) = tokio::try_join!(state.store.profile(&principal.sub), state.store.user(&handle))?;
    let other = other.filter(|other| other.sub != principal.sub).ok_or(NO_SUCH_USER)?;
    let me = me.ok_or(ApiError::NoProfile)?;
    Ok(state.store.conversation_between(me.author.user_uuid, other.author.user_uuid).await?)
}

/// Whom a message is for, and the conversation where that is known.
struct Receiver {
    user: User,
    group: Option<Id>,
}

/// `None` when there is no such user, or no such conversation of the user's.
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

/// A message on its way.
struct Post<'a> {
    state: &'a AppState,
    me: Profile,
    message: &'a Message,
    once: Option<Once>,
}

impl Post<'_> {
    async fn to(&self, Receiver { user: other, group }: Receiver) -> Result<Written, ApiError> {
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
            match store.open_conversation(&self.me, &other, &first, self.once.as_ref()).await {
                Err(error) if error.is_conflict_on(keys::PAIR) => {}
                opened => return Ok(opened?),
            }
        }
        Err(StoreError::Conflict { on: keys::PAIR }.into())
    }

    async fn append(&self, group: Id, receiver_sub: &str) -> Result<Written, ApiError> {
        let message = self.as_message(group);
        Ok(self.state.store.append_message(&message, &self.me, receiver_sub, self.once.as_ref()).await?)
    }

    fn as_message(&self, conversation: Id) -> DirectMessage {
        let (id, sender) = (self.state.clock.new_id(), self.me.author.user_uuid);
        DirectMessage { id, conversation, sender, message: self.message.clone() }
    }
}
