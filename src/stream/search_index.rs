use crate::domain::Subject;
use crate::store::{Posted, Store, StoreError};

/// Puts a post under its words. Replies are not searched for.
pub(super) async fn add(store: &Store, posted: &Posted) -> Result<(), StoreError> {
    match posted.subject {
        Subject::Activity(_) => store.index_words(&posted.activity).await,
        Subject::Reply { .. } | Subject::Group(_) => Ok(()),
    }
}

/// Takes it away again.
pub(super) async fn remove(store: &Store, posted: &Posted) -> Result<(), StoreError> {
    match posted.subject {
        Subject::Activity(_) => store.remove_words(&posted.activity).await,
        Subject::Reply { .. } | Subject::Group(_) => Ok(()),
    }
}
