//! Who makes a request.

mod key_set;
mod token;

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;

use super::AppState;
use super::error::ApiError;
use key_set::{KeySet, NoKey};

pub use key_set::ReadError;
pub(super) use token::BadToken;
pub use token::Pool;

/// The user who signed in: an extension of requests to routes that ask for one, made from what [`Identity`] says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Principal {
    /// The identity provider's id of the user. It never leaves the backend.
    pub(super) sub: String,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").finish_non_exhaustive()
    }
}

/// How the user of a request is told. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Source>);

#[derive(Debug)]
enum Source {
    Tokens { pool: Pool, keys: KeySet },
    Plays(Principal),
}

/// Why the user of a request cannot be told.
#[derive(Debug, PartialEq, Eq)]
enum Unidentified {
    BadToken(BadToken),
    NoKeySet,
}

impl Identity {
    /// By the access token in `Authorization`: one of `pool`, signed by a key of the set that `read_key_set` gives
    /// (RFC 7517).
    ///
    /// A reading must end by itself. It is asked for rarely, whatever tokens are sent, and when it fails the keys of
    /// the one before hold on.
    pub fn tokens<F>(pool: Pool, read_key_set: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<u8>, ReadError>> + Send + 'static,
    {
        Self(Arc::new(Source::Tokens { pool, keys: KeySet::new(read_key_set) }))
    }

    /// Everybody is the same user, as in the first weeks of the original. Not for a server that others can reach.
    #[must_use]
    pub fn plays(sub: String) -> Self {
        Self(Arc::new(Source::Plays(Principal { sub })))
    }

    /// Reads the key set, so that the first request finds it. A failure is logged, and mended by a later request.
    pub async fn warm_up(&self, now: Timestamp) {
        match &*self.0 {
            Source::Tokens { keys, .. } => keys.prefetch(now).await,
            Source::Plays(_) => {}
        }
    }

    async fn of(&self, headers: &HeaderMap, now: Timestamp) -> Result<Option<Principal>, Unidentified> {
        let (pool, keys) = match &*self.0 {
            Source::Tokens { pool, keys } => (pool, keys),
            Source::Plays(principal) => return Ok(Some(principal.clone())),
        };
        let Some(token) = bearer(headers).map_err(Unidentified::BadToken)? else { return Ok(None) };
        let kid = token::kid(token).map_err(Unidentified::BadToken)?;
        let key = keys.key(&kid, now).await.map_err(|no_key| match no_key {
            NoKey::Unknown => Unidentified::BadToken(BadToken::NotSigned),
            NoKey::Unavailable => Unidentified::NoKeySet,
        })?;
        token::verify(token, &key, pool, now).map(Some).map_err(Unidentified::BadToken)
    }
}

/// The token of `Authorization: Bearer <token>`.
///
/// The original's web client sends `Bearer null` when nobody is signed in, which is as good as no header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BadToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or(BadToken::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(BadToken::Malformed)?;
    if !scheme.eq_ignore_ascii_case("Bearer") || token.is_empty() || token.contains(char::is_whitespace) {
        return Err(BadToken::Malformed);
    }
    Ok(Some(token).filter(|token| *token != "null"))
}

/// Around a route that only users may call: answers 401 before anything else is looked at.
pub(super) async fn required(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let found = state.identity.of(request.headers(), state.clock.now()).await?;
    request.extensions_mut().insert(found.ok_or(ApiError::Unauthenticated)?);
    Ok(next.run(request).await)
}

/// Around a route that shows more to a user: who cannot be told is nobody, as in the original.
pub(super) async fn optional(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match state.identity.of(request.headers(), state.clock.now()).await {
        Ok(found) => drop(found.map(|principal| request.extensions_mut().insert(principal))),
        Err(unidentified) => tracing::debug!(?unidentified, "taken for nobody"),
    }
    next.run(request).await
}

/// What a handler asks for that only users may call.
pub(super) struct SignedIn(pub(super) Principal);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().map(Self).ok_or(ApiError::Unauthenticated)
    }
}

impl From<Unidentified> for ApiError {
    fn from(unidentified: Unidentified) -> Self {
        match unidentified {
            Unidentified::BadToken(bad) => Self::BadToken(bad),
            Unidentified::NoKeySet => Self::NoKeySet,
        }
    }
}
