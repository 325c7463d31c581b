use std::fmt;

/// The authenticated user of a request: an extension of requests to routes that authenticate.
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
