use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::identity::Principal;
use super::keys::{Keys, Signature};
use crate::domain::Id;

const VERSION: u8 = 1;
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Version, expiry in epoch milliseconds, position.
const PAYLOAD: usize = 1 + 8 + 16;

/// Where a list was left, and for whom: a cursor is good for one route and one user only.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) route: &'a str,
    pub(super) principal: Option<&'a Principal>,
}

/// Why a cursor is refused. The text is what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadCursor {
    #[error("`cursor` is not one of ours: take it as it is from the `Link` header of the page before.")]
    Foreign,
    #[error("`cursor` was altered, or was made for another route or another user: begin again without it.")]
    NotSignedForThis,
    #[error("`cursor` is older than 24 hours: begin again without it.")]
    Expired,
}

/// The opaque text from which [`open`] reads `position` within the next 24 hours.
pub(super) fn seal(keys: &Keys, scope: Scope<'_>, position: Id, now: Timestamp) -> String {
    let mut token = vec![VERSION];
    token.extend((now + LIFETIME).as_millisecond().to_be_bytes());
    token.extend(position.uuid().into_bytes());
    let signature = sign(keys.cursor(), scope, &token).finalize().into_bytes();
    token.extend_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(token)
}

/// The position, if we made the cursor in this scope. The position is all it says: keys are made anew from it.
pub(super) fn open(keys: &Keys, scope: Scope<'_>, cursor: &str, now: Timestamp) -> Result<Id, BadCursor> {
    let token = URL_SAFE_NO_PAD.decode(cursor).ok().ok_or(BadCursor::Foreign)?;
    let (payload, signature) = token.split_first_chunk::<PAYLOAD>().ok_or(BadCursor::Foreign)?;
    let [VERSION, fields @ ..] = payload else {
        return Err(BadCursor::Foreign);
    };
    let (expires_at, position) = fields.split_first_chunk().ok_or(BadCursor::Foreign)?;
    let signed = keys.accepted_cursors().any(|key| sign(key, scope, payload).verify_slice(signature).is_ok());
    if !signed {
        return Err(BadCursor::NotSignedForThis);
    }
    if i64::from_be_bytes(*expires_at) <= now.as_millisecond() {
        return Err(BadCursor::Expired);
    }
    Uuid::from_slice(position).ok().and_then(Id::from_uuid).ok_or(BadCursor::Foreign)
}

/// The payload has a fixed length and a route no zero byte, so no two scopes are signed alike.
fn sign(key: Signature, scope: Scope<'_>, payload: &[u8]) -> Signature {
    let mac = key.chain_update(payload).chain_update(scope.route).chain_update([0]);
    match scope.principal {
        Some(principal) => mac.chain_update([1]).chain_update(&principal.sub),
        None => mac.chain_update([0]),
    }
}
