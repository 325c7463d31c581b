use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::key_set::{KeySet, NoKey, ReadError};
use super::token::{self, BadToken, Pool};
use crate::api::principal::Principal;

/// Authenticates requests. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Source>);

#[derive(Debug)]
enum Source {
    Tokens { pool: Pool, keys: KeySet },
    Fixed(Principal),
}

/// Why a request cannot be authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum AuthError {
    BadToken(BadToken),
    NoKeySet,
}

impl Identity {
    /// Authenticates by the access token in `Authorization`. The token must belong to `pool` and be signed by a key of
    /// the set that `read_key_set` returns (RFC 7517).
    ///
    /// `read_key_set` must have its own timeout. It is called rarely, whatever tokens clients send. If it fails, the
    /// keys of the last successful call stay valid.
    pub fn tokens<F>(pool: Pool, read_key_set: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<u8>, ReadError>> + Send + 'static,
    {
        Self(Arc::new(Source::Tokens { pool, keys: KeySet::new(read_key_set) }))
    }

    /// Authenticates every request as the same user, as in the first weeks of the original. Unsafe on a server that
    /// others can reach.
    #[must_use]
    pub fn fixed(sub: String) -> Self {
        Self(Arc::new(Source::Fixed(Principal { sub })))
    }

    /// Reads the key set before the first request. A failure is logged, and a later request tries again.
    pub async fn warm_up(&self, now: Timestamp) {
        match &*self.0 {
            Source::Tokens { keys, .. } => keys.prefetch(now).await,
            Source::Fixed(_) => {}
        }
    }

    /// Returns the user of a request, or `None` if the request has no token.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Principal>, AuthError> {
        let (pool, keys) = match &*self.0 {
            Source::Tokens { pool, keys } => (pool, keys),
            Source::Fixed(principal) => return Ok(Some(principal.clone())),
        };
        let Some(token) = bearer_token(headers).map_err(AuthError::BadToken)? else { return Ok(None) };
        let kid = token::key_id(token).map_err(AuthError::BadToken)?;
        let key = keys.key(&kid, now).await.map_err(|no_key| match no_key {
            NoKey::Unknown => AuthError::BadToken(BadToken::NotSigned),
            NoKey::Unavailable => AuthError::NoKeySet,
        })?;
        token::verify(token, &key, pool, now).map(Some).map_err(AuthError::BadToken)
    }
}

/// Returns the token of `Authorization: Bearer <token>`.
///
/// The original's web client sends `Bearer null` when the user is signed out; that counts as no header.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, BadToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or(BadToken::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(BadToken::Malformed)?;
    if !scheme.eq_ignore_ascii_case("Bearer") || token.is_empty() || token.contains(char::is_whitespace) {
        return Err(BadToken::Malformed);
    }
    Ok(Some(token).filter(|token| *token != "null"))
}
