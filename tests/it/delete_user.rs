//! Deletion of a user with everything that belongs to them.

use cruddur::domain::{Id, Profile};
use cruddur::store::keys;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ANDREW, TestApp, WORF, andrew, hours, user, worf};

/// Two users who post, reply, react and write to each other. Returns the id of a post of each.
async fn busy() -> (TestApp, [String; 2]) {
    let mut app = TestApp::new().await;
    let mut posts = Vec::new();
    for sub in [ANDREW, WORF] {
        let body = json!({ "message": "Cloud fun for @worf and @andrewbrown", "ttl": "1-day" });
        let post = app.post_as(sub, "/api/activities", &body).await;
        posts.push(post.body["uuid"].as_str().unwrap().to_owned());
        app.pass(SignedDuration::from_secs(1));
    }
    let [of_andrew, of_worf] = <[String; 2]>::try_from(posts).unwrap();
    for (sub, handle, post) in [(ANDREW, "worf", &of_worf), (WORF, "andrewbrown", &of_andrew)] {
        let reply = json!({ "message": "no honor" });
        assert_eq!(app.post_as(sub, &format!("/api/activities/{post}/reply"), &reply).await.status, 200);
        for reaction in ["like", "repost"] {
            let uri = format!("/api/activities/{post}/{reaction}");
            assert_eq!(app.put_as(sub, &uri).await.status, 200);
        }
        let message = json!({ "message": "Qapla'!", "handle": handle });
        assert_eq!(app.post_as(sub, "/api/messages", &message).await.status, 200);
        app.pass(SignedDuration::from_secs(1));
    }
    app.settle().await;
    (app, [of_andrew, of_worf])
}

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

/// The items that still contain the user's ids, except the reactions of others to the user's posts, which expire when the
/// posts would have expired.
async fn left(app: &TestApp, user: &Profile) -> Vec<String> {
    let uuid = user.author.user_uuid.to_string();
    let of_others = |item: &str| {
        let reaction = item.contains("\"LIKES#") || item.contains("\"REPOSTS#");
        reaction && !item.contains(&format!("S#{}\"", user.sub))
    };
    let contents = app.contents().await.into_iter();
    contents.filter(|item| (item.contains(&user.sub) || item.contains(&uuid)) && !of_others(item)).collect()
}

#[tokio::test]
async fn deleted_user_leaves_no_item() {
    for (sub, user) in [(ANDREW, andrew()), (WORF, worf())] {
        let (mut app, _) = busy().await;
        let other = if sub == ANDREW { worf() } else { andrew() };
        assert!(left(&app, &user).await.len() > 10);
        delete(&mut app, sub).await;
        assert_eq!(left(&app, &user).await, Vec::<String>::new());
        // The handle is free again, and the other user is untouched.
        assert!(app.state.store.user(&user.author.handle).await.unwrap().is_none());
        assert_eq!(app.state.store.profile(&other.sub).await.unwrap(), Some(other));
    }
}

#[tokio::test]
async fn counters_of_others_posts_follow_the_deletion() {
    let (mut app, [of_andrew, _]) = busy().await;
    let counters = async |app: &TestApp| {
        let shown = app.get(&format!("/api/activities/{of_andrew}")).await.body;
        ["likes_count", "reposts_count", "replies_count"].map(|name| shown["activity"][name].clone())
    };
    assert_eq!(counters(&app).await, [json!(1), json!(1), json!(1)]);
    delete(&mut app, WORF).await;
    assert_eq!(counters(&app).await, [json!(0), json!(0), json!(0)]);
}

#[tokio::test]
async fn deleted_user_cannot_write_with_an_old_token() {
    let (mut app, _) = busy().await;
    delete(&mut app, WORF).await;
    let answer = app.post_as(WORF, "/api/activities", &json!({ "message": "still here", "ttl": "1-day" })).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(left(&app, &worf()).await, Vec::<String>::new());
}

#[tokio::test]
async fn repeated_deletion_keeps_the_claim_of_another_user() {
    let app = TestApp::new().await;
    // An earlier call failed after it had deleted the claim. Then another user claimed the handle.
    app.delete_item(keys::handle(&worf().author.handle)).await;
    let other = user(3, "sub-of-another", "worf", "Another Worf");
    app.state.store.create_profile(&other).await.unwrap();
    while app.state.store.delete_user(WORF, app.now()).await.unwrap() > 0 {}
    let found = app.state.store.user(&other.author.handle).await.unwrap();
    assert_eq!(found.map(|owner| owner.sub), Some(other.sub));
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
    let app = TestApp::new().await;
    let post: Id = app.posted(hours(1), 1, "liked", "1-day").await.id;
    let left_over = [keys::like(WORF, post), keys::notification(WORF, post), keys::notifications_read(WORF)];
    app.delete_item(keys::profile(WORF)).await;
    app.put_keys(&left_over).await;
    while app.state.store.delete_user(WORF, app.now()).await.unwrap() > 0 {}
    for key in left_over {
        assert!(!app.has_item(key).await);
    }
}
