use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::keys::{Keys, Signature};
use super::principal::Principal;
use crate::domain::Id;

const VERSION: u8 = 1;
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Length of a payload: version, expiry in epoch milliseconds, position.
const PAYLOAD: usize = 1 + 8 + 16;

/// What a cursor is bound to. It is invalid for any other list or user.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) route: &'a str,
    pub(super) principal: Option<&'a Principal>,
}

/// Why a cursor is rejected. The text becomes the problem's `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadCursor {
    #[error("`cursor` is malformed. Copy it unchanged from the `Link` header of the previous page.")]
    Malformed,
    #[error("`cursor` was modified or belongs to another route or user. Start again without it.")]
    WrongScope,
    #[error("`cursor` is older than 24 hours. Start again without it.")]
    Expired,
}

/// Returns a signed cursor for `position` that [`open`] accepts for 24 hours.
pub(super) fn seal(keys: &Keys, scope: Scope<'_>, position: Id, now: Timestamp) -> String {
    let mut token = vec![VERSION];
    token.extend((now + LIFETIME).as_millisecond().to_be_bytes());
    token.extend(position.uuid().into_bytes());
    let signature = sign(keys.cursor(), scope, &token).finalize().into_bytes();
    token.extend_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(token)
}

/// Returns the position of a cursor that [`seal`] created in the same scope. A cursor contains no database keys.
pub(super) fn open(keys: &Keys, scope: Scope<'_>, cursor: &str, now: Timestamp) -> Result<Id, BadCursor> {
    let token = URL_SAFE_NO_PAD.decode(cursor).ok().ok_or(BadCursor::Malformed)?;
    let (payload, signature) = token.split_first_chunk::<PAYLOAD>().ok_or(BadCursor::Malformed)?;
    let [VERSION, fields @ ..] = payload else {
        return Err(BadCursor::Malformed);
    };
    let (expires_at, position) = fields.split_first_chunk().ok_or(BadCursor::Malformed)?;
    let signed = keys.accepted_cursors().any(|key| sign(key, scope, payload).verify_slice(signature).is_ok());
    if !signed {
        return Err(BadCursor::WrongScope);
    }
    if i64::from_be_bytes(*expires_at) <= now.as_millisecond() {
        return Err(BadCursor::Expired);
    }
    Uuid::from_slice(position).ok().and_then(Id::from_uuid).ok_or(BadCursor::Malformed)
}

/// Signs a payload and its scope. Scopes cannot collide: the payload has a fixed length, and a route has no zero byte.
fn sign(key: Signature, scope: Scope<'_>, payload: &[u8]) -> Signature {
    let mac = key.chain_update(payload).chain_update(scope.route).chain_update([0]);
    match scope.principal {
        Some(principal) => mac.chain_update([1]).chain_update(&principal.sub),
        None => mac.chain_update([0]),
    }
}
