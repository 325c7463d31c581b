use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(super) type Signature = Hmac<Sha256>;

/// Keys derived from the master secret, each for one purpose. Cloning is cheap.
#[derive(Clone)]
pub struct Keys(Arc<Derived>);

struct Derived {
    cursor: Signature,
    previous_cursor: Option<Signature>,
    user_id: Signature,
    sampling: Signature,
}

impl Keys {
    /// Derives all keys. Cursors signed with the `previous` secret stay valid.
    #[must_use]
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Self {
        Self(Arc::new(Derived {
            cursor: derive(current, b"cursor"),
            previous_cursor: previous.map(|secret| derive(secret, b"cursor")),
            user_id: derive(current, b"user id"),
            sampling: derive(current, b"sampling"),
        }))
    }

    /// Returns the key of the sampling hash. It is secret because callers choose the trace ids that API Gateway passes on.
    #[must_use]
    pub fn sampling(&self) -> [u8; 32] {
        self.0.sampling.clone().finalize().into_bytes().into()
    }

    /// Returns the key that signs cursors.
    pub(super) fn cursor(&self) -> Signature {
        self.0.cursor.clone()
    }

    /// Returns the keys that verify cursors.
    pub(super) fn accepted_cursors(&self) -> impl Iterator<Item = Signature> {
        std::iter::once(&self.0.cursor).chain(&self.0.previous_cursor).cloned()
    }

    /// Returns the pseudonym of a user in traces. Only the secret can connect it to the user.
    pub(super) fn user_id(&self, sub: &str) -> String {
        let hash = self.0.user_id.clone().chain_update(sub).finalize().into_bytes();
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

fn derive(secret: &[u8], purpose: &[u8]) -> Signature {
    let derived = keyed(&Sha256::digest(secret)).chain_update(purpose).finalize();
    keyed(&derived.into_bytes())
}

/// Returns HMAC under `key`, which must fit into one block. HMAC itself pads a shorter key with zeros.
fn keyed(key: &[u8]) -> Signature {
    let mut block = hmac::digest::Key::<Signature>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Signature::new(&block)
}
