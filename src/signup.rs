//! The user pool's trigger: whoever has confirmed a new account, or signs in, has a profile afterwards.

mod names;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::causes::causes;
use crate::clock::Clock;
use crate::domain::{Author, Profile};
use crate::store::{self, Store, StoreError, keys};

/// Cognito gives up after 5 seconds; some of them are for the start of the function.
const LIMIT: Duration = Duration::from_secs(3);
/// Left for the answer's way and the traces' export.
const RESERVE: Duration = Duration::from_millis(400);
/// How often a transaction is tried that another one gets in the way of.
const MAX_TRIES: usize = 3;

/// Why somebody could not be given a profile. Cognito shows the text to them, so it quotes nothing of theirs.
#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    /// The function was attached to another trigger.
    #[error("this function is for PostConfirmation and PostAuthentication, not for {0}")]
    OtherTrigger(String),
    /// It is no event of a user pool.
    #[error("the event has no {0}")]
    Malformed(&'static str),
    /// Every handle that was thought of is taken.
    #[error("no handle is free; try again with another preferred_username")]
    NoFreeHandle,
    /// There was no end in time.
    #[error("the profile could not be made in time; try again")]
    OutOfTime,
    /// The database.
    #[error("the profile could not be made; try again")]
    Store(#[from] StoreError),
}

/// The time for an event of an invocation that Lambda ends at `deadline`, in epoch milliseconds.
#[must_use]
pub fn limit(deadline: u64, now: Timestamp) -> Duration {
    store::remaining_time(deadline, now).map_or(LIMIT, |left| left.saturating_sub(RESERVE).min(LIMIT))
}

/// Makes the profile of the user whom `event` is about, unless there is one, and returns the event as Cognito wants it;
/// within `limit`.
///
/// Safe to repeat: the same user twice is one profile.
///
/// # Errors
/// [`SignupError`], for which Cognito fails the step: nobody goes on without a profile.
pub async fn confirm(store: &Store, clock: &Clock, event: Value, limit: Duration) -> Result<Value, SignupError> {
    let trigger = text(&event, "/triggerSource").ok_or(SignupError::Malformed("triggerSource"))?;
    let is_new = match trigger {
        "PostConfirmation_ConfirmSignUp" => true,
        // The pool has confirmed the account even where this function failed before: a sign-in is the second chance.
        "PostAuthentication_Authentication" => false,
        "PostConfirmation_ConfirmForgotPassword" => return Ok(event),
        other => return Err(SignupError::OtherTrigger(other.to_owned())),
    };
    let sub =
        text(&event, "/request/userAttributes/sub").ok_or(SignupError::Malformed("request.userAttributes.sub"))?;
    let make = async {
        if is_new || store.profile(sub).await?.is_none() {
            let span = info_span!("create-profile", app.user_uuid = Empty, app.handle_tries = Empty);
            create(store, clock, sub, &event).instrument(span).await?;
        }
        Ok(())
    };
    let end = Instant::now() + limit;
    let made =
        tokio::time::timeout_at(end, store::with_deadline(end, make)).await.unwrap_or(Err(SignupError::OutOfTime));
    made.inspect_err(|error| tracing::error!(error.causes = causes(Some(error)), "no profile could be made"))?;
    Ok(event)
}

async fn create(store: &Store, clock: &Clock, sub: &str, event: &Value) -> Result<(), SignupError> {
    let preferred = text(event, "/request/userAttributes/preferred_username");
    let name = text(event, "/request/userAttributes/name");
    let (named_at, user_uuid) = (clock.now(), clock.new_id().uuid());
    Span::current().record("app.user_uuid", tracing::field::display(user_uuid));
    for (tries, handle) in names::handles(preferred, sub).enumerate() {
        Span::current().record("app.handle_tries", i64::try_from(tries + 1).ok());
        let display_name = names::display_name(name, &handle);
        let author = Author { user_uuid, handle, display_name };
        let profile = Profile { sub: sub.to_owned(), author, bio: String::new(), named_at };
        match put(store, &profile).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_conflict_on(keys::PROFILE) => return Ok(()),
            Err(error) if error.is_conflict_on(keys::HANDLE) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(SignupError::NoFreeHandle)
}

/// Two triggers for one user at once get in each other's way; the second try finds what the other one has made.
async fn put(store: &Store, profile: &Profile) -> Result<(), StoreError> {
    for _ in 1..MAX_TRIES {
        match store.create_profile(profile).await {
            Err(StoreError::Throttled { .. }) => {}
            result @ (Ok(()) | Err(_)) => return result,
        }
    }
    store.create_profile(profile).await
}

fn text<'a>(event: &'a Value, path: &str) -> Option<&'a str> {
    event.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
}
