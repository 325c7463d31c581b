use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::keys::{Keys, Signature};
use super::principal::Principal;
use crate::domain::Id;

const VERSION: u8 = 2;
/// The bit of the first byte that is set if the cursor is bound to a user.
const BOUND: u8 = 0x80;
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Length of the position's part: version, expiry in epoch milliseconds, position.
const PAYLOAD: usize = 1 + 8 + 16;
/// Length of each of the two tags that follow: of the user, and of everything. They are HMAC-SHA-256-128 (RFC 4868).
const TAG: usize = 16;

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
    /// The cursor is authentic, but the request has no user.
    #[error("`cursor` belongs to a user. Sign in and send an access token, or start again without it.")]
    NeedsUser,
}

/// Returns a signed cursor for `position` that [`open`] accepts for 24 hours.
pub(super) fn seal(keys: &Keys, scope: Scope<'_>, position: Id, now: Timestamp) -> String {
    let mut token = vec![if scope.principal.is_some() { VERSION | BOUND } else { VERSION }];
    token.extend((now + LIFETIME).as_millisecond().to_be_bytes());
    token.extend(position.uuid().into_bytes());
    let user = sign_user(keys.cursor(), scope, &token).finalize().into_bytes();
    token.extend(user.iter().take(TAG));
    let signature = sign(keys.cursor(), scope.route, &token).finalize().into_bytes();
    token.extend(signature.iter().take(TAG));
    URL_SAFE_NO_PAD.encode(token)
}

/// Returns the position of a cursor that [`seal`] created in the same scope. A cursor contains no database keys.
pub(super) fn open(keys: &Keys, scope: Scope<'_>, cursor: &str, now: Timestamp) -> Result<Id, BadCursor> {
    let token = URL_SAFE_NO_PAD.decode(cursor).ok().ok_or(BadCursor::Malformed)?;
    let (signed, signature) = token.split_last_chunk::<TAG>().ok_or(BadCursor::Malformed)?;
    let (payload, user) = signed.split_first_chunk::<PAYLOAD>().ok_or(BadCursor::Malformed)?;
    let [version, fields @ ..] = payload;
    if version & !BOUND != VERSION || user.len() != TAG {
        return Err(BadCursor::Malformed);
    }
    let (expires_at, position) = fields.split_first_chunk().ok_or(BadCursor::Malformed)?;
    let is_ours = |key| sign(key, scope.route, signed).verify_truncated_left(signature).is_ok();
    let is_of_user = |key| sign_user(key, scope, payload).verify_truncated_left(user).is_ok();
    if !keys.accepted_cursors().any(is_ours) {
        return Err(BadCursor::WrongScope);
    }
    if i64::from_be_bytes(*expires_at) <= now.as_millisecond() {
        return Err(BadCursor::Expired);
    }
    if version & BOUND != 0 && scope.principal.is_none() {
        return Err(BadCursor::NeedsUser);
    }
    if !keys.accepted_cursors().any(is_of_user) {
        return Err(BadCursor::WrongScope);
    }
    Uuid::from_slice(position).ok().and_then(Id::from_uuid).ok_or(BadCursor::Malformed)
}

/// Signs everything in a cursor, for a route. It needs no user, so that a cursor without one is recognized as ours.
fn sign(key: Signature, route: &str, signed: &[u8]) -> Signature {
    key.chain_update([0]).chain_update(signed).chain_update(route)
}

/// Signs the user, for this position and route. The input cannot equal that of [`sign`], or of another user: the first
/// bytes differ, the payload has a fixed length, and a route has no zero byte.
fn sign_user(key: Signature, scope: Scope<'_>, payload: &[u8]) -> Signature {
    let mac = key.chain_update([1]).chain_update(payload).chain_update(scope.route).chain_update([0]);
    match scope.principal {
        Some(principal) => mac.chain_update([1]).chain_update(&principal.sub),
        None => mac.chain_update([0]),
    }
}
