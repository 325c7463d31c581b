//! The user pool of this machine: signs access tokens for the demo users, as Cognito does.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cruddur::api::Pool;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::data;

/// The pool's id, of the form that Cognito's have; the same binary that runs in AWS is told it as a setting.
pub const USER_POOL_ID: &str = "us-east-1_local";
/// The pool's one client.
pub const CLIENT_ID: &str = "local";
/// How long a token is good for.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// An issuer that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// This is AWS, where anybody could be anybody.
    #[error("the local user pool signs in whoever asks, so it does not start in AWS Lambda (AWS_LAMBDA_FUNCTION_NAME)")]
    InLambda,
    /// The file is there and is no RSA key.
    #[error("{} is not an RSA key: remove the file, and a new one is made (old tokens then end)", file.display())]
    Damaged {
        /// The key's file.
        file: PathBuf,
        /// What is wrong with it.
        source: KeyRejected,
    },
    /// The file cannot be read or written.
    #[error("the key's file {} cannot be used; mend its permissions or remove it", file.display())]
    Unusable {
        /// The key's file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No key could be made.
    #[error("no RSA key can be made")]
    NoKey(#[from] Unspecified),
}

/// An RSA key and what is signed with it. Cloning is cheap.
#[derive(Clone)]
pub struct Issuer {
    key: Arc<RsaKeyPair>,
    kid: String,
}

impl Issuer {
    /// Reads the key from `file`, or makes one there that only its owner can read.
    ///
    /// # Errors
    /// In AWS Lambda; or when the file holds something else, cannot be read or cannot be written.
    #[expect(clippy::disallowed_methods, reason = "whether this is Lambda, nobody may get wrong")]
    pub fn read_or_make(file: &Path) -> Result<Self, IssuerError> {
        if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some() {
            return Err(IssuerError::InLambda);
        }
        let unusable = |source| IssuerError::Unusable { file: file.to_owned(), source };
        match fs::read(file) {
            Ok(pkcs8) => {
                let damaged = |source| IssuerError::Damaged { file: file.to_owned(), source };
                Ok(Self::of(RsaKeyPair::from_pkcs8(&pkcs8).map_err(damaged)?))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let pkcs8: Pkcs8V1Der<'_> = key.as_der()?;
                data::write_private(file, pkcs8.as_ref()).map_err(unusable)?;
                Ok(Self::of(key))
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// A new key that is kept nowhere.
    ///
    /// # Errors
    /// When none can be made.
    pub fn fleeting() -> Result<Self, IssuerError> {
        Ok(Self::of(RsaKeyPair::generate(KeySize::Rsa2048)?))
    }

    fn of(key: RsaKeyPair) -> Self {
        let modulus = key.public_key().modulus();
        let hash = digest::digest(&digest::SHA256, modulus.big_endian_without_leading_zero());
        let kid = URL_SAFE_NO_PAD.encode(hash);
        Self { key: Arc::new(key), kid }
    }

    /// What the API is told about this pool.
    pub fn pool() -> Pool {
        Pool {
            issuer: format!("https://cognito-idp.us-east-1.amazonaws.com/{USER_POOL_ID}"),
            client_id: CLIENT_ID.to_owned(),
        }
    }

    /// The path of the key set, as Cognito has it.
    pub fn key_set_path() -> String {
        format!("/{USER_POOL_ID}/.well-known/jwks.json")
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key set of RFC 7517.
    pub fn key_set(&self) -> Value {
        let public = self.key.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        json!({ "keys": [{ "alg": "RS256", "e": e, "kid": self.kid, "kty": "RSA", "n": n, "use": "sig" }] })
    }

    /// The claims of an access token for that user.
    pub fn claims(sub: &str, now: Timestamp) -> Value {
        json!({
            "sub": sub,
            "iss": Self::pool().issuer,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "auth_time": now.as_second(),
            "iat": now.as_second(),
            "exp": (now + LIFETIME).as_second(),
            "username": sub,
        })
    }

    /// An access token for that user, good for an hour.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn access_token(&self, sub: &str, now: Timestamp) -> Result<String, IssuerError> {
        self.sign(&json!({ "alg": "RS256", "kid": self.kid }), &Self::claims(sub, now))
    }

    /// Any header and any claims, signed with RS256 whatever they say.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn sign(&self, header: &Value, claims: &Value) -> Result<String, IssuerError> {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issuer");
        let made = Issuer::read_or_make(&file).unwrap();
        assert_eq!(Issuer::read_or_make(&file).unwrap().key_set(), made.key_set());
        assert_ne!(Issuer::fleeting().unwrap().kid(), made.kid());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_file_is_neither_used_nor_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issuer");
        fs::write(&file, "hello").unwrap();
        let error = Issuer::read_or_make(&file).unwrap_err();
        let told = "is not an RSA key: remove the file, and a new one is made (old tokens then end)";
        assert_eq!(error.to_string(), format!("{} {told}", file.display()));
        assert_eq!(fs::read(&file).unwrap(), b"hello");
    }

    #[test]
    fn debug_output_hides_the_key() {
        let issuer = Issuer::fleeting().unwrap();
        assert_eq!(format!("{issuer:?}"), format!("Issuer {{ kid: {:?}, .. }}", issuer.kid()));
    }
}
