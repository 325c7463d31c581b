use crate::domain::{Id, Notification, NotificationKind, Subject, Ttl, mentions};
use crate::store::{LikeImage, PairImage, PostImage, Store, StoreError};

/// The number of likes from which on the author of a post is not notified of each. Otherwise a popular post would cause
/// as many notifications as there are users.
const MAX_NOTIFIED_LIKES: u64 = 100;

/// Notifies the author of the parent and the mentioned users. Each user gets at most one notification of a post, the
/// author none.
pub(super) async fn notify_of_post(store: &Store, image: &PostImage) -> Result<(), StoreError> {
    let post = &image.post;
    let notifications = recipients(store, image).await?.into_iter().map(|(sub, kind)| {
        let notification = Notification {
            id: post.id,
            kind,
            actor: post.author.handle.clone(),
            subject: Subject::Post { id: post.id, parent: post.parent },
            trace_context: image.trace_context.clone(),
            expires_at: post.expires_at,
        };
        (sub, notification)
    });
    store.add_notifications(&notifications.collect::<Vec<_>>()).await
}

/// Removes the notifications of a post, and those of its likes. The likes themselves remain until they expire.
pub(super) async fn withdraw_post(store: &Store, image: &PostImage) -> Result<(), StoreError> {
    let notifications = recipients(store, image).await?.into_iter().map(|(sub, _)| (sub, image.post.id));
    store.remove_notifications(&notifications.collect::<Vec<_>>()).await?;
    // Exact: a like and the counter change in one transaction.
    if image.post.counters.likes == 0 {
        return Ok(());
    }
    store.remove_like_notifications(&image.author_sub, image.post.id).await
}

/// Notifies the author of a liked post.
pub(super) async fn notify_of_like(store: &Store, like: &LikeImage) -> Result<(), StoreError> {
    if like.sub == like.owner_sub {
        return Ok(());
    }
    // Reads an expired post too. Its notification is invisible, since it has the same expiry time.
    let Some(post) = store.post_of(like.post, like.parent).await? else { return Ok(()) };
    if post.counters.likes > MAX_NOTIFIED_LIKES {
        return Ok(());
    }
    let notification = Notification {
        id: like_id(like),
        kind: NotificationKind::Like,
        actor: like.handle.clone(),
        subject: Subject::Post { id: post.id, parent: post.parent },
        trace_context: like.trace_context.clone(),
        expires_at: like.expires_at,
    };
    store.add_notifications(&[(like.owner_sub.clone(), notification)]).await?;
    // In the meantime, the like may have been removed, and added again with another time, or the post deleted.
    let (at, post) = tokio::try_join!(store.liked_at(&like.sub, like.post), store.post_of(like.post, like.parent))?;
    if at == Some(like.at) && post.is_some() { Ok(()) } else { withdraw_like(store, like).await }
}

/// Removes the notification of a like.
pub(super) async fn withdraw_like(store: &Store, like: &LikeImage) -> Result<(), StoreError> {
    store.remove_notifications(&[(like.owner_sub.clone(), like_id(like))]).await
}

/// Notifies the other member of a new conversation. Its messages do not cause notifications.
pub(super) async fn notify_of_conversation(store: &Store, pair: &PairImage) -> Result<(), StoreError> {
    let notification = Notification {
        id: pair.conversation,
        kind: NotificationKind::Conversation,
        actor: pair.handle.clone(),
        subject: Subject::Conversation(pair.conversation),
        trace_context: pair.trace_context.clone(),
        expires_at: pair.conversation.created_at() + Ttl::MAX,
    };
    store.add_notifications(&[(pair.receiver_sub.clone(), notification)]).await
}

async fn recipients(store: &Store, image: &PostImage) -> Result<Vec<(String, NotificationKind)>, StoreError> {
    let parent_sub = image.parent_sub.iter();
    let mut recipients: Vec<_> = parent_sub.map(|sub| (sub.clone(), NotificationKind::Reply)).collect();
    let handles = mentions(image.post.message.as_str());
    for sub in store.subs_by_handle(&handles).await? {
        if recipients.iter().all(|(known, _)| *known != sub) {
            recipients.push((sub, NotificationKind::Mention));
        }
    }
    recipients.retain(|(sub, _)| *sub != image.author_sub);
    Ok(recipients)
}

/// Derives the id of the notification from the time of the like, the post and the user, since likes have no id.
fn like_id(like: &LikeImage) -> Id {
    let [_, _, _, _, _, _, post @ ..] = like.post.uuid().into_bytes();
    let [_, _, _, _, _, _, user @ ..] = like.user_uuid.into_bytes();
    let mut random = [0; 10];
    random.iter_mut().zip(post.iter().zip(user)).for_each(|(byte, (a, b))| *byte = a ^ b);
    Id::new(like.at, random)
}
