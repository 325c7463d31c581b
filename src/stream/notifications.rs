use jiff::Timestamp;

use crate::domain::{Id, Kind, Notification, Post, Subject, Ttl, mentions};
use crate::store::{Liked, Opened, Posted, Store, StoreError};

/// Of a post that more people like, nobody is told each time: a list of that is read by no one, and would grow with
/// the number of users.
const MAX_LIKES_TOLD: u64 = 100;

/// Tells the author of what is replied to, and those who are mentioned. Nobody is told twice, nor of their own acts.
pub(super) async fn of_post(store: &Store, posted: &Posted) -> Result<(), StoreError> {
    let told = recipients(store, posted).await?.into_iter().map(|(sub, kind)| {
        let notification = Notification {
            id: posted.activity.id(),
            kind,
            actor: posted.activity.author().handle.clone(),
            subject: posted.subject,
            trace_context: posted.trace_context.clone(),
            expires_at: posted.activity.expires_at(),
        };
        (sub, notification)
    });
    store.notify(&told.collect::<Vec<_>>()).await
}

/// Takes back what was told of it.
pub(super) async fn withdraw_post(store: &Store, posted: &Posted) -> Result<(), StoreError> {
    let told = recipients(store, posted).await?.into_iter().map(|(sub, _)| (sub, posted.activity.id()));
    store.withdraw(&told.collect::<Vec<_>>()).await
}

/// Tells the author of what is liked.
pub(super) async fn of_like(store: &Store, liked: &Liked) -> Result<(), StoreError> {
    if liked.sub == liked.owner_sub {
        return Ok(());
    }
    // Of any time: one that has expired is told of no more, by its own end.
    let Some(stored) = store.post(liked.activity, Timestamp::UNIX_EPOCH).await? else { return Ok(()) };
    if stored.post.counters().likes > MAX_LIKES_TOLD {
        return Ok(());
    }
    let subject = match &stored.post {
        Post::Activity(activity) => Subject::Activity(activity.id()),
        Post::Reply(reply) => Subject::Reply { parent: reply.parent(), id: reply.id() },
    };
    let notification = Notification {
        id: like_id(liked),
        kind: Kind::Like,
        actor: liked.handle.clone(),
        subject,
        trace_context: liked.trace_context.clone(),
        expires_at: liked.expires_at,
    };
    store.notify(&[(liked.owner_sub.clone(), notification)]).await?;
    // The like may have gone in the meantime, and another of the same user have come.
    match store.liked_at(liked.activity, liked.user_uuid).await? {
        Some(at) if at == liked.at => Ok(()),
        Some(_) | None => withdraw_like(store, liked).await,
    }
}

/// Takes back what was told of a like.
pub(super) async fn withdraw_like(store: &Store, liked: &Liked) -> Result<(), StoreError> {
    store.withdraw(&[(liked.owner_sub.clone(), like_id(liked))]).await
}

/// Tells a user that somebody began a conversation; not of each message in it.
pub(super) async fn of_conversation(store: &Store, opened: &Opened) -> Result<(), StoreError> {
    let notification = Notification {
        id: opened.group,
        kind: Kind::Conversation,
        actor: opened.handle.clone(),
        subject: Subject::Group(opened.group),
        trace_context: opened.trace_context.clone(),
        expires_at: opened.group.created_at() + Ttl::MAX,
    };
    store.notify(&[(opened.receiver_sub.clone(), notification)]).await
}

async fn recipients(store: &Store, posted: &Posted) -> Result<Vec<(String, Kind)>, StoreError> {
    let mut told: Vec<_> = posted.parent_sub.iter().map(|sub| (sub.clone(), Kind::Reply)).collect();
    let handles = mentions(posted.activity.message().as_str());
    for sub in store.subs_of(&handles).await? {
        if told.iter().all(|(known, _)| *known != sub) {
            told.push((sub, Kind::Mention));
        }
    }
    told.retain(|(sub, _)| *sub != posted.author_sub);
    Ok(told)
}

/// A like has no id: this one is made of when it was, of what, and whose.
fn like_id(liked: &Liked) -> Id {
    let [_, _, _, _, _, _, activity @ ..] = liked.activity.uuid().into_bytes();
    let [_, _, _, _, _, _, user @ ..] = liked.user_uuid.into_bytes();
    let mut random = [0; 10];
    random.iter_mut().zip(activity.iter().zip(user)).for_each(|(byte, (a, b))| *byte = a ^ b);
    Id::new(liked.at, random)
}
