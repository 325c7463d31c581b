use crate::store::{Sent, Store, StoreError};

/// Shows the message as the last one of its conversation to both of its users.
pub(super) async fn summarise(store: &Store, sent: &Sent) -> Result<(), StoreError> {
    store.summarise(sent).await
}
