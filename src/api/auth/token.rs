//! Verifies access tokens of the user pool, without I/O.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::api::principal::Principal;
use crate::json::Object;

/// Maximum length of a token in bytes. Cognito's have about 1,100.
const MAX_BYTES: usize = 8 * 1024;
/// Accepted difference between the clocks of the issuer and of this machine.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// The user pool and its app client whose access tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The exact value of the claim `iss`.
    pub issuer: String,
    /// The value of the claim `client_id`.
    pub client_id: String,
}

/// Why a token is rejected. The text becomes the problem's `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::api) enum BadToken {
    /// Not exactly one JSON Web Token with `alg` RS256.
    #[error("`Authorization` must be `Bearer`, one space, and one access token signed with RS256.")]
    Malformed,
    /// No valid signature by a key of the pool.
    #[error("The access token is not signed by a key of our user pool: sign in again.")]
    NotSigned,
    /// An ID token, or a token of another pool or client.
    #[error("The token is not an access token of our user pool's client: sign in to this application.")]
    NotForUs,
    /// `exp` has passed.
    #[error("The access token has expired: refresh it, or sign in again.")]
    Expired,
    /// `nbf` has not been reached.
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

/// Returns the id of the key that signed `token`, according to its header.
pub(super) fn key_id(token: &str) -> Result<String, BadToken> {
    if token.len() > MAX_BYTES {
        return Err(BadToken::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).ok().ok_or(BadToken::Malformed)?;
    // `crit` names extensions that a verifier must understand; no extension is supported.
    if header.alg != Algorithm::RS256 || header.crit.is_some() {
        return Err(BadToken::Malformed);
    }
    header.kid.ok_or(BadToken::Malformed)
}

/// Returns the token's user if `key` signed it and its claims are valid.
pub(super) fn verify(token: &str, key: &DecodingKey, pool: &Pool, now: Timestamp) -> Result<Principal, BadToken> {
    let claims = signed_claims(token, key).ok_or(BadToken::NotSigned)?;
    let is_for_pool = claims.iss == pool.issuer && claims.client_id == pool.client_id && claims.token_use == "access";
    if !is_for_pool || claims.sub.is_empty() {
        return Err(BadToken::NotForUs);
    }
    // Compare seconds: a claim may be a number outside a `Timestamp`'s range.
    if claims.exp <= now.as_second().saturating_sub(LEEWAY.as_secs()) {
        return Err(BadToken::Expired);
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.as_second().saturating_add(LEEWAY.as_secs())) {
        return Err(BadToken::NotYetValid);
    }
    Ok(Principal { sub: claims.sub })
}

/// Returns the claims if the signature is valid. [`verify`] checks the claims themselves, at its own `now`.
fn signed_claims(token: &str, key: &DecodingKey) -> Option<Claims> {
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims.clear();
    let Object(claims) = jsonwebtoken::decode(token, key, &signature_only).ok()?.claims;
    Some(claims)
}
