//! What makes a text an access token of our user pool. No I/O; the key is found by [`kid`] elsewhere.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::Principal;

/// The longest token that is looked at, in bytes; Cognito's are some 1,100.
const MAX_BYTES: usize = 8 * 1024;
/// By how much the clocks of the issuer and of this machine may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// The user pool and the client in it whose access tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The claim `iss`, to the letter.
    pub issuer: String,
    /// The claim `client_id`.
    pub client_id: String,
}

/// Why a token is refused. The text is what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::api) enum BadToken {
    /// No JSON Web Token signed with RS256, or several.
    #[error("`Authorization` must be `Bearer`, one space, and one access token signed with RS256.")]
    Malformed,
    /// Nobody we trust has signed it.
    #[error("The access token is not signed by a key of our user pool: sign in again.")]
    NotSigned,
    /// An ID token, or one of another pool or client.
    #[error("The token is not an access token of our user pool's client: sign in to this application.")]
    NotForUs,
    /// Too old.
    #[error("The access token has expired: refresh it, or sign in again.")]
    Expired,
    /// Too new.
    #[error("The access token is not valid yet: compare this machine's clock with the right time.")]
    NotYetValid,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    client_id: String,
    token_use: String,
    exp: i64,
    nbf: Option<i64>,
}

/// The id of the key that is said to have signed `token`.
pub(super) fn kid(token: &str) -> Result<String, BadToken> {
    if token.len() > MAX_BYTES {
        return Err(BadToken::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).ok().ok_or(BadToken::Malformed)?;
    // An extension that must be understood, and we understand none.
    if header.alg != Algorithm::RS256 || header.crit.is_some() {
        return Err(BadToken::Malformed);
    }
    header.kid.ok_or(BadToken::Malformed)
}

/// The user whose access token this is, if `key` has signed it.
pub(super) fn verify(token: &str, key: &DecodingKey, pool: &Pool, now: Timestamp) -> Result<Principal, BadToken> {
    let claims = signed_claims(token, key).ok_or(BadToken::NotSigned)?;
    let ours = claims.iss == pool.issuer && claims.client_id == pool.client_id && claims.token_use == "access";
    if !ours || claims.sub.is_empty() {
        return Err(BadToken::NotForUs);
    }
    // Seconds, not timestamps: a claim may be any number.
    if claims.exp <= now.as_second().saturating_sub(LEEWAY.as_secs()) {
        return Err(BadToken::Expired);
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.as_second().saturating_add(LEEWAY.as_secs())) {
        return Err(BadToken::NotYetValid);
    }
    Ok(Principal { sub: claims.sub })
}

/// The claims, once the signature holds. What they say is judged by [`verify`], by the time that it is given.
fn signed_claims(token: &str, key: &DecodingKey) -> Option<Claims> {
    let mut signature_alone = Validation::new(Algorithm::RS256);
    signature_alone.validate_exp = false;
    signature_alone.validate_nbf = false;
    signature_alone.validate_aud = false;
    signature_alone.required_spec_claims.clear();
    jsonwebtoken::decode(token, key, &signature_alone).ok().map(|signed| signed.claims)
}
