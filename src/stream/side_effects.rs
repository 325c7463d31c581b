use tracing::{Instrument, info_span};

use super::notifications;
use crate::store::{ItemChange, PostImage, Store, StoreError};

/// Applies all side effects of a change, each in a span.
pub(super) async fn apply(store: &Store, change: &ItemChange) -> Result<(), StoreError> {
    match change {
        ItemChange::PostCreated(created) => {
            index_words(store, created).instrument(info_span!("index-words")).await?;
            notifications::notify_of_post(store, created).instrument(info_span!("notify")).await?;
            let correction = store.correct_author_name(&created.post, &created.author_sub);
            correction.instrument(info_span!("correct-name")).await?;
            // The post may have been deleted in the meantime, and the record of the deletion processed before this one.
            if !store.post_exists(&created.post).await? {
                clean_up(store, created).instrument(info_span!("remove-belongings")).await?;
            }
            Ok(())
        }
        ItemChange::PostDeleted(deleted) => clean_up(store, deleted).instrument(info_span!("remove-belongings")).await,
        ItemChange::LikeAdded(like) => {
            notifications::notify_of_like(store, like).instrument(info_span!("notify")).await
        }
        ItemChange::LikeRemoved(like) => {
            notifications::withdraw_like(store, like).instrument(info_span!("withdraw-notification")).await
        }
        ItemChange::DisplayNameChanged { sub } => {
            store.propagate_display_name(sub).instrument(info_span!("rewrite-names")).await
        }
        ItemChange::ConversationOpened(pair) => {
            notifications::notify_of_conversation(store, pair).instrument(info_span!("notify")).await?;
            let correction = store.correct_member_names(pair.conversation, &pair.sub, &pair.receiver_sub);
            correction.instrument(info_span!("correct-name")).await
        }
        ItemChange::MessageSent(sent) => {
            store.update_latest_message(sent).instrument(info_span!("summarise-conversation")).await
        }
        ItemChange::Ignored => Ok(()),
    }
}

/// Replies are not searchable.
async fn index_words(store: &Store, PostImage { post, .. }: &PostImage) -> Result<(), StoreError> {
    if post.parent.is_none() { store.index_words(post).await } else { Ok(()) }
}

/// Removes everything derived from a deleted post.
async fn clean_up(store: &Store, deleted: &PostImage) -> Result<(), StoreError> {
    if deleted.post.parent.is_none() {
        store.remove_words(&deleted.post).await?;
    }
    notifications::withdraw_post(store, deleted).await?;
    store.delete_dependents(&deleted.post).await
}
