use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, WORF, hours};

fn messages(body: &Value) -> Vec<&str> {
    body["activities"].as_array().unwrap().iter().map(|row| row["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn user_page_has_profile_and_live_posts_newest_first() {
    let app = TestApp::new().await;
    app.posted(hours(3), 1, "expired", "1-hour").await;
    app.posted(hours(2), 2, "old", "1-day").await;
    app.posted(hours(1), 3, "new", "1-day").await;
    app.send_as(WORF, "POST", "/api/activities", r#"{"message": "Worf's", "ttl": "1-day"}"#).await;
    let feed = app.get("/api/activities/@andrewbrown").await;
    let expected = json!({
        "profile": {
            "uuid": "00000000-0000-0000-0000-000000000001", "handle": "andrewbrown",
            "display_name": "Andrew Brown", "bio": "", "cruds_count": 2,
        },
        "activities": [
            {
                "uuid": "01a202e9-b47a-7000-8000-000000000003", "display_name": "Andrew Brown",
                "handle": "andrewbrown", "message": "new",
                "created_at": "2026-11-22T11:00:00.250Z", "expires_at": "2026-11-23T11:00:00.250Z",
                "replies_count": 0, "reposts_count": 0, "likes_count": 0,
            },
            {
                "uuid": "01a202b2-c5fa-7000-8000-000000000002", "display_name": "Andrew Brown",
                "handle": "andrewbrown", "message": "old",
                "created_at": "2026-11-22T10:00:00.250Z", "expires_at": "2026-11-23T10:00:00.250Z",
                "replies_count": 0, "reposts_count": 0, "likes_count": 0,
            },
        ],
    });
    assert_eq!((feed.status, feed.body), (200, expected));
}

#[tokio::test]
async fn user_page_has_no_replies() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "post", "1-day").await.id;
    app.replied(parent, hours(0), 2, "reply").await;
    let feed = app.get("/api/activities/@worf").await;
    assert_eq!((&feed.body["profile"]["cruds_count"], &feed.body["activities"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn escaped_at_sign_is_equivalent() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "post", "1-day").await.id;
    for path in [
        "/api/activities/{}andrewbrown".to_owned(),
        format!("/api/activities/{{}}andrewbrown/status/{id}"),
        "/api/users/{}andrewbrown/short".to_owned(),
    ] {
        let (plain, escaped) = (app.get(&path.replace("{}", "@")).await, app.get(&path.replace("{}", "%40")).await);
        assert_eq!((plain.status, &plain.body), (200, &escaped.body), "{path}");
    }
    let page = app.get("/api/activities/%40andrewbrown?limit=0").await;
    assert_eq!(page.status, 400, "the limit is read");
}

#[tokio::test]
async fn unknown_user_is_404() {
    let app = TestApp::new().await;
    for handle in ["nobody", "%ce%b1", "a-b", &"x".repeat(31)] {
        for uri in [format!("/api/activities/@{handle}"), format!("/api/users/@{handle}/short")] {
            let answer = app.get(&uri).await;
            answer.assert_error(404, "not_found");
        }
    }
}

#[tokio::test]
async fn user_pages_have_no_repeats() {
    let app = TestApp::new().await;
    for number in 0..7 {
        app.posted(hours(2), number, &number.to_string(), "1-day").await;
    }
    let pages = app.pages(None, "/api/activities/@andrewbrown", "?limit=3").await;
    let shown: Vec<_> = pages.iter().map(|page| messages(&page.body)).collect();
    assert_eq!(shown, [vec!["6", "5", "4"], vec!["3", "2", "1"], vec!["0"]]);
    assert!(pages.iter().all(|page| page.body["profile"]["cruds_count"] == 7));
}

#[tokio::test]
async fn user_page_cursor_is_bound_to_its_user() {
    let app = TestApp::new().await;
    app.posted(hours(2), 1, "a", "1-day").await;
    app.posted(hours(2), 2, "b", "1-day").await;
    let next = app.get("/api/activities/@andrewbrown?limit=1").await.next().unwrap();
    let foreign = app.get(&format!("/api/activities/@worf{next}")).await;
    foreign.assert_error(400, "bad_cursor");
    assert_eq!(messages(&app.get_as(ANDREW, &format!("/api/activities/@andrewbrown{next}")).await.body), ["a"]);
}

#[tokio::test]
async fn live_post_behind_expired_posts_is_on_the_user_page() {
    let app = TestApp::new().await;
    app.posted(hours(3), 1, "alive", "1-day").await;
    for number in 2..60 {
        app.posted(hours(2), number, "dead", "1-hour").await;
    }
    let feed = app.get("/api/activities/@andrewbrown?limit=1").await;
    assert_eq!((messages(&feed.body), &feed.body["profile"]["cruds_count"]), (vec!["alive"], &json!(1)));
}

#[tokio::test]
async fn post_address_requires_its_author_handle() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "post", "1-day").await.id;
    let status = |handle: &str| format!("/api/activities/@{handle}/status/{id}");
    let shown = app.get(&status("andrewbrown")).await;
    assert_eq!((shown.status, &shown.body["activity"]["message"]), (200, &json!("post")));
    assert_eq!(app.get(&status("worf")).await.status, 404);
    assert_eq!(app.get(&status("nobody")).await.status, 404);
    assert_eq!(app.get("/api/activities/@andrewbrown/status/abc").await.status, 404);
}

#[tokio::test]
async fn short_user_has_id_and_names() {
    let app = TestApp::new().await;
    let short = app.get("/api/users/@worf/short").await;
    let expected = json!({ "uuid": "00000000-0000-0000-0000-000000000002", "handle": "worf", "display_name": "Worf" });
    assert_eq!((short.status, short.body), (200, expected));
}

#[tokio::test]
async fn posts_count_is_capped_at_100() {
    let app = TestApp::new().await;
    let count = async || app.get("/api/activities/@andrewbrown?limit=1").await.body["profile"]["cruds_count"].clone();
    // The expired posts are newer than all live ones except one: they are read but not counted.
    for number in 0..89 {
        app.posted(hours(10), number, "old", "1-day").await;
    }
    for number in 0..150 {
        app.posted(hours(4), number, "short", "3-hours").await;
    }
    app.posted(hours(1), 1, "new", "1-day").await;
    assert_eq!(count().await, 90);
    for number in 0..9 {
        app.posted(hours(0), number, "newest", "1-day").await;
    }
    assert_eq!(count().await, 99);
    for number in 9..20 {
        app.posted(hours(0), number, "newest", "1-day").await;
    }
    assert_eq!(count().await, 100);
}
