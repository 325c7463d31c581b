use crate::store::{Opened, Posted, Store, StoreError};

/// A user has a new name: it is written wherever the old one stands.
pub(super) async fn rewrite(store: &Store, sub: &str) -> Result<(), StoreError> {
    store.rewrite_names(sub).await
}

/// A post that was made while its author's name changed carries the old one, and came too late to be rewritten.
pub(super) async fn correct(store: &Store, posted: &Posted) -> Result<(), StoreError> {
    store.rewrite_name(posted.subject, &posted.activity.author().display_name, &posted.author_sub).await
}

/// The same of a conversation that was begun while one of the two changed names.
pub(super) async fn correct_conversation(store: &Store, opened: &Opened) -> Result<(), StoreError> {
    store.rewrite_names_of_conversation(opened.group, &opened.sub, &opened.receiver_sub).await
}
