use crate::store::{Posted, Store, StoreError};

/// A user has a new name: it is written wherever the old one stands.
pub(super) async fn rewrite(store: &Store, sub: &str) -> Result<(), StoreError> {
    store.rewrite_names(sub).await
}

/// A post that was made while its author's name changed carries the old one, and came too late to be rewritten.
pub(super) async fn correct(store: &Store, posted: &Posted) -> Result<(), StoreError> {
    store.rewrite_name(posted.subject, &posted.activity.author().display_name, &posted.author_sub).await
}
