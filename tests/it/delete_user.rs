//! Deletion of a user with everything that belongs to them.

use cruddur::domain::{Id, Reaction};
use cruddur::store::keys;
use serde_json::json;

use crate::stream::busy;
use crate::support::{ANDREW, TestApp, WORF, andrew, hours, numbered, worf};

/// Deletes the user until nothing is left, and lets the stream consumer follow.
async fn delete(app: &mut TestApp, sub: &str) -> usize {
    let mut calls = 0;
    while app.state.store.delete_user(sub, app.now()).await.unwrap() > 0 {
        app.settle().await;
        calls += 1;
        assert!(calls < 5, "the deletion finds items again and again");
    }
    calls
}

/// The items that still contain one of these texts, except idempotency items, which expire within a day.
async fn left(app: &TestApp, texts: &[&str]) -> Vec<String> {
    let contents = app.contents().await.into_iter();
    contents.filter(|item| !item.contains("IDEMPOTENCY#") && texts.iter().any(|text| item.contains(text))).collect()
}

#[tokio::test]
async fn deleted_user_leaves_no_item() {
    for (sub, user) in [(ANDREW, andrew()), (WORF, worf())] {
        let (mut app, kept) = busy().await;
        let other = if sub == ANDREW { worf() } else { andrew() };
        app.reply(&kept, ANDREW, numbered(app.now() - hours(1), 9), &andrew(), "mine").await;
        let expired = app.posted(hours(40), 8, "expired", "1-hour").await;
        assert!(!expired.is_live(app.now()));
        app.settle().await;
        let uuid = user.author.user_uuid.to_string();
        assert!(!left(&app, &[sub, &uuid]).await.is_empty());
        delete(&mut app, sub).await;
        assert_eq!(left(&app, &[sub, &uuid]).await, Vec::<String>::new());
        // The handle is free again, and the other user is untouched.
        assert!(app.state.store.user(&user.author.handle).await.unwrap().is_none());
        assert_eq!(app.state.store.profile(&other.sub).await.unwrap(), Some(other));
    }
}

#[tokio::test]
async fn counters_of_others_posts_follow_the_deletion() {
    let (mut app, kept) = busy().await;
    let stored = app.state.store.post(kept.id, app.now()).await.unwrap().unwrap();
    app.state.store.add_reaction(Reaction::Repost, &worf(), &stored, app.now()).await.unwrap();
    delete(&mut app, WORF).await;
    let shown = app.get(&format!("/api/activities/{}", kept.id)).await.body;
    let counters = ["likes_count", "reposts_count", "replies_count"].map(|name| shown["activity"][name].clone());
    assert_eq!((counters, &shown["replies"]), ([json!(0), json!(0), json!(0)], &json!([])));
}

#[tokio::test]
async fn deleted_user_cannot_write_with_an_old_token() {
    let (mut app, _) = busy().await;
    delete(&mut app, WORF).await;
    let answer = app.post_as(WORF, "/api/activities", &json!({ "message": "still here", "ttl": "1-day" })).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(left(&app, &[WORF]).await, Vec::<String>::new());
}

#[tokio::test]
async fn deletion_of_an_unknown_user_finds_nothing() {
    let app = TestApp::new().await;
    let before = app.contents().await;
    assert_eq!(app.state.store.delete_user("nobody", app.now()).await.unwrap(), 0);
    assert_eq!(app.contents().await, before);
}

#[tokio::test]
async fn deletion_without_profile_deletes_what_is_found_by_identity() {
    let mut app = TestApp::new().await;
    let post: Id = app.posted(hours(1), 1, "liked", "1-day").await.id;
    let left_over = [keys::like(WORF, post), keys::notification(WORF, post), keys::notifications_read(WORF)];
    app.delete_item(keys::profile(WORF)).await;
    app.put_keys(&left_over).await;
    delete(&mut app, WORF).await;
    for key in left_over {
        assert!(!app.has_item(key).await);
    }
}
