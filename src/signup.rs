//! Creates profiles when users confirm their account or sign in: the function behind the user pool's triggers.

mod names;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::clock::Clock;
use crate::domain::{Author, Profile};
use crate::error_chain::error_chain;
use crate::store::{self, Store, StoreError, keys};

/// The maximum budget. Cognito's timeout of 5 seconds includes the cold start.
const MAX_BUDGET: Duration = Duration::from_secs(3);
/// Reserved for sending the response and exporting spans.
const RESERVE: Duration = Duration::from_millis(400);
/// Attempts of a transaction that conflicts with another one.
const MAX_ATTEMPTS: usize = 3;

/// Why no profile was created. Cognito shows the text to the user, so it contains no personal data.
#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    /// The event is of another trigger.
    #[error("unsupported trigger {0}: attach this function to PostConfirmation and PostAuthentication only")]
    OtherTrigger(String),
    /// The event lacks a field.
    #[error("the event has no {0}")]
    Malformed(&'static str),
    /// All candidate handles are taken.
    #[error("all handles are taken: retry with another preferred_username")]
    NoFreeHandle,
    /// The budget is used up.
    #[error("creating the profile timed out: retry")]
    OutOfTime,
    /// The store failed.
    #[error("the profile could not be created: retry")]
    Store(#[from] StoreError),
}

/// Returns the budget of an invocation that Lambda ends at `deadline` (epoch milliseconds).
#[must_use]
pub fn budget(deadline: u64, now: Timestamp) -> Duration {
    store::budget(deadline, now, RESERVE).map_or(MAX_BUDGET, |budget| budget.min(MAX_BUDGET))
}

/// Creates the profile of the event's user within `budget`, unless the user has one. Returns the event, as Cognito
/// requires.
///
/// Idempotent: a repeated event creates no second profile.
///
/// # Errors
/// [`SignupError`]. Cognito then fails the sign-up or sign-in, so that no user continues without a profile.
pub async fn confirm(store: &Store, clock: &Clock, event: Value, budget: Duration) -> Result<Value, SignupError> {
    let trigger = text(&event, "/triggerSource").ok_or(SignupError::Malformed("triggerSource"))?;
    let is_new = match trigger {
        "PostConfirmation_ConfirmSignUp" => true,
        // If this function failed at confirmation, the account is confirmed but has no profile. Create it at sign-in.
        "PostAuthentication_Authentication" => false,
        "PostConfirmation_ConfirmForgotPassword" => return Ok(event),
        other => return Err(SignupError::OtherTrigger(other.to_owned())),
    };
    let sub =
        text(&event, "/request/userAttributes/sub").ok_or(SignupError::Malformed("request.userAttributes.sub"))?;
    let work = async {
        if is_new || store.profile(sub).await?.is_none() {
            let span = info_span!("create-profile", app.user_uuid = Empty, app.handle_tries = Empty);
            create(store, clock, sub, &event).instrument(span).await?;
        }
        Ok(())
    };
    let end = Instant::now() + budget;
    let result =
        tokio::time::timeout_at(end, store::with_deadline(end, work)).await.unwrap_or(Err(SignupError::OutOfTime));
    result
        .inspect_err(|error| tracing::error!(error.causes = error_chain(Some(error)), "cannot create the profile"))?;
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

/// Retries transaction conflicts. Two concurrent triggers of one user conflict; the retry finds the other's profile.
async fn put(store: &Store, profile: &Profile) -> Result<(), StoreError> {
    for _ in 1..MAX_ATTEMPTS {
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
