use super::{notifications, search_index};
use crate::store::{Posted, Store, StoreError};

/// A post or a reply is gone: so is all that was made of it and all that belongs to it.
pub(super) async fn of(store: &Store, gone: &Posted) -> Result<(), StoreError> {
    search_index::remove(store, gone).await?;
    notifications::withdraw_post(store, gone).await?;
    store.remove_belongings(gone.subject).await
}
