use serde_json::json;

use crate::support::{TestApp, hours};

#[tokio::test]
async fn post_is_shown_with_replies_oldest_first() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(2), 1, "Cloud is (very) fun!", "1-day").await;
    for (ago, number, message) in [(0, 3, "Second"), (1, 2, "This post has no honor!")] {
        app.replied(parent.id, hours(ago), number, message).await;
    }
    let shown = app.get(&format!("/api/activities/{}", parent.id)).await;
    let reply = |uuid: &str, message: &str, created_at: &str| {
        json!({
            "uuid": uuid, "display_name": "Worf", "handle": "worf", "message": message,
            "replies_count": 0, "reposts_count": 0, "likes_count": 0,
            "reply_to_activity_uuid": "01a202b2-c5fa-7000-8000-000000000001", "created_at": created_at,
        })
    };
    let expected = json!({
        "activity": {
            "uuid": "01a202b2-c5fa-7000-8000-000000000001", "display_name": "Andrew Brown", "handle": "andrewbrown",
            "message": "Cloud is (very) fun!", "replies_count": 2, "reposts_count": 0, "likes_count": 0,
            "expires_at": "2026-11-23T10:00:00.250Z", "created_at": "2026-11-22T10:00:00.250Z",
        },
        "replies": [
            reply("01a202e9-b47a-7000-8000-000000000002", "This post has no honor!", "2026-11-22T11:00:00.250Z"),
            reply("01a20320-a2fa-7000-8000-000000000003", "Second", "2026-11-22T12:00:00.250Z"),
        ],
    });
    assert_eq!((shown.status, shown.body), (200, expected));
}

#[tokio::test]
async fn replies_are_not_in_home_and_expire_with_the_post() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(0), 1, "parent", "1-hour").await;
    app.replied(parent.id, hours(0), 2, "reply").await;
    assert_eq!(app.get("/api/activities/home").await.messages(), ["parent"]);
    app.pass(hours(1));
    assert_eq!(app.state.store.replies(parent.id, app.now(), 10, None).await.unwrap().rows, []);
    assert_eq!(app.get(&format!("/api/activities/{}", parent.id)).await.status, 404);
}

#[tokio::test]
async fn missing_post_is_404_for_any_id() {
    let app = TestApp::new().await;
    for id in [
        "0199c3a0-5e00-7a11-8b22-c33d44e55f66",
        "68f126b0-1ceb-4a33-88be-d90fa7109eee",
        "ffffffff-ffff-7fff-bfff-ffffffffffff",
        "0199c3a05e007a118b22c33d44e55f66",
        "abc",
        "@",
    ] {
        let shown = app.get(&format!("/api/activities/{id}")).await;
        shown.assert_error(404, "not_found");
    }
}
