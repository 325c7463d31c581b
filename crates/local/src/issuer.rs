//! The local user pool. It signs access tokens for the demo users, like Cognito.

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

use crate::data_dir;

/// The pool's id, in Cognito's format. Functions read it from `COGNITO_USER_POOL_ID`.
pub const USER_POOL_ID: &str = "us-east-1_local";
/// The id of the pool's only client.
pub const CLIENT_ID: &str = "local";
/// The lifetime of an access token.
pub const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The local user pool cannot start.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The process runs in AWS Lambda, where sign-in without a password would be a vulnerability.
    #[error(
        "the local user pool needs no passwords, so it does not start in AWS Lambda (AWS_LAMBDA_FUNCTION_NAME is set)"
    )]
    InLambda,
    /// The file is not an RSA key.
    #[error("{} is not an RSA key: delete the file to create a new key (old tokens become invalid)", file.display())]
    Damaged {
        /// The path of the key.
        file: PathBuf,
        /// The cause.
        source: KeyRejected,
    },
    /// The file cannot be read or written.
    #[error("the signing key {} cannot be read or written; fix its permissions or delete it", file.display())]
    Unusable {
        /// The path of the key.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Generating or encoding the key failed, or signing with it.
    #[error("generating or using the RSA key failed")]
    Crypto(#[from] Unspecified),
}

/// Signs tokens with an RSA key. Cloning is cheap.
#[derive(Clone)]
pub struct Issuer {
    key: Arc<RsaKeyPair>,
    kid: String,
}

impl Issuer {
    /// Reads the key from `file`, or creates a key there that only its owner can read.
    ///
    /// # Errors
    /// In AWS Lambda, or if the file has other content or cannot be read or written.
    #[expect(clippy::disallowed_methods, reason = "no caller can bypass the check for Lambda")]
    pub fn read_or_create(file: &Path) -> Result<Self, IssuerError> {
        if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some() {
            return Err(IssuerError::InLambda);
        }
        let unusable = |source| IssuerError::Unusable { file: file.to_owned(), source };
        match fs::read(file) {
            Ok(pkcs8) => {
                let damaged = |source| IssuerError::Damaged { file: file.to_owned(), source };
                Ok(Self::from_key(RsaKeyPair::from_pkcs8(&pkcs8).map_err(damaged)?))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let pkcs8: Pkcs8V1Der<'_> = key.as_der()?;
                data_dir::write_private(file, pkcs8.as_ref()).map_err(unusable)?;
                Ok(Self::from_key(key))
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// Creates an issuer with a new key that is not stored.
    ///
    /// # Errors
    /// If generating the key fails.
    pub fn ephemeral() -> Result<Self, IssuerError> {
        Ok(Self::from_key(RsaKeyPair::generate(KeySize::Rsa2048)?))
    }

    fn from_key(key: RsaKeyPair) -> Self {
        let modulus = key.public_key().modulus();
        let hash = digest::digest(&digest::SHA256, modulus.big_endian_without_leading_zero());
        let kid = URL_SAFE_NO_PAD.encode(hash);
        Self { key: Arc::new(key), kid }
    }

    /// Returns the pool's settings for the API.
    pub fn pool() -> Pool {
        Pool {
            issuer: format!("https://cognito-idp.us-east-1.amazonaws.com/{USER_POOL_ID}"),
            client_id: CLIENT_ID.to_owned(),
        }
    }

    /// Returns the path of the key set, which is the same as in Cognito.
    pub fn key_set_path() -> String {
        format!("/{USER_POOL_ID}/.well-known/jwks.json")
    }

    /// Returns the key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the JSON Web Key Set (RFC 7517).
    pub fn key_set(&self) -> Value {
        let public = self.key.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        json!({ "keys": [{ "alg": "RS256", "e": e, "kid": self.kid, "kty": "RSA", "n": n, "use": "sig" }] })
    }

    /// Returns the claims of an access token for the user `sub`.
    pub fn claims(sub: &str, now: Timestamp) -> Value {
        json!({
            "sub": sub,
            "iss": Self::pool().issuer,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "auth_time": now.as_second(),
            "iat": now.as_second(),
            "exp": (now + TOKEN_LIFETIME).as_second(),
            "username": sub,
        })
    }

    /// Returns an access token for the user `sub`, valid for [`TOKEN_LIFETIME`].
    ///
    /// # Errors
    /// If signing fails.
    pub fn access_token(&self, sub: &str, now: Timestamp) -> Result<String, IssuerError> {
        self.sign(&json!({ "alg": "RS256", "kid": self.kid }), &Self::claims(sub, now))
    }

    /// Signs any header and claims with RS256, even if the header names another algorithm.
    ///
    /// # Errors
    /// If signing fails.
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
    fn key_is_created_once_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issuer");
        let created = Issuer::read_or_create(&file).unwrap();
        assert_eq!(Issuer::read_or_create(&file).unwrap().key_set(), created.key_set());
        assert_ne!(Issuer::ephemeral().unwrap().kid(), created.kid());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn damaged_key_is_rejected_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issuer");
        fs::write(&file, "hello").unwrap();
        let error = Issuer::read_or_create(&file).unwrap_err();
        assert!(matches!(error, IssuerError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"hello");
    }

    #[test]
    fn debug_output_hides_the_key() {
        let issuer = Issuer::ephemeral().unwrap();
        assert_eq!(format!("{issuer:?}"), format!("Issuer {{ kid: {:?}, .. }}", issuer.kid()));
    }
}
