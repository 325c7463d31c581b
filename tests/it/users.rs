use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, hours};

const WORF: &str = "demo-worf";

fn messages(body: &Value) -> Vec<&str> {
    body["activities"].as_array().unwrap().iter().map(|row| row["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_users_page_is_the_profile_and_the_live_posts_newest_first() {
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
            },
            {
                "uuid": "01a202b2-c5fa-7000-8000-000000000002", "display_name": "Andrew Brown",
                "handle": "andrewbrown", "message": "old",
                "created_at": "2026-11-22T10:00:00.250Z", "expires_at": "2026-11-23T10:00:00.250Z",
            },
        ],
    });
    assert_eq!((feed.status, feed.body), (200, expected));
}

#[tokio::test]
async fn a_users_page_has_no_replies() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "post", "1-day").await.id;
    app.replied(parent, hours(0), 2, "reply").await;
    let feed = app.get("/api/activities/@worf").await;
    assert_eq!((&feed.body["profile"]["cruds_count"], &feed.body["activities"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn an_at_sign_may_be_escaped() {
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
    assert_eq!(page.status, 400, "the query is kept");
}

#[tokio::test]
async fn nobody_of_that_name_is_404() {
    let app = TestApp::new().await;
    for handle in ["nobody", "Andrewbrown", "%ce%b1", "a-b", &"x".repeat(31)] {
        for uri in [format!("/api/activities/@{handle}"), format!("/api/users/@{handle}/short")] {
            let answer = app.get(&uri).await;
            let expected = json!({
                "type": "about:blank", "title": "Not Found", "status": 404, "detail": "There is no such user.",
                "code": "not_found",
            });
            assert_eq!((answer.status, answer.body), (404, expected), "{uri}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_user_show_each_post_once() {
    let app = TestApp::new().await;
    for number in 0..7 {
        app.posted(hours(2), number, &number.to_string(), "1-day").await;
    }
    let mut shown = Vec::new();
    let mut query = Some("?limit=3".to_owned());
    let mut pages = 0;
    while let Some(next) = query {
        let page = app.get(&format!("/api/activities/@andrewbrown{next}")).await;
        shown.extend(messages(&page.body).into_iter().map(str::to_owned));
        assert_eq!(page.body["profile"]["cruds_count"], 7);
        query = page.next();
        pages += 1;
    }
    assert_eq!((pages, shown), (3, ["6", "5", "4", "3", "2", "1", "0"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn the_cursor_of_one_users_page_is_not_good_for_anothers() {
    let app = TestApp::new().await;
    app.posted(hours(2), 1, "a", "1-day").await;
    app.posted(hours(2), 2, "b", "1-day").await;
    let next = app.get("/api/activities/@andrewbrown?limit=1").await.next().unwrap();
    let foreign = app.get(&format!("/api/activities/@worf{next}")).await;
    assert_eq!((foreign.status, &foreign.body["code"]), (400, &json!("bad_cursor")));
    assert_eq!(messages(&app.get_as(ANDREW, &format!("/api/activities/@andrewbrown{next}")).await.body), ["a"]);
}

#[tokio::test]
async fn many_expired_posts_do_not_hide_a_live_one_of_a_user() {
    let app = TestApp::new().await;
    app.posted(hours(3), 1, "alive", "1-day").await;
    for number in 2..60 {
        app.posted(hours(2), number, "dead", "1-hour").await;
    }
    let feed = app.get("/api/activities/@andrewbrown?limit=1").await;
    assert_eq!((messages(&feed.body), &feed.body["profile"]["cruds_count"]), (vec!["alive"], &json!(1)));
}

#[tokio::test]
async fn a_post_has_an_address_under_its_authors_handle_only() {
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
async fn a_short_user_is_the_id_and_both_names() {
    let app = TestApp::new().await;
    let short = app.get("/api/users/@worf/short").await;
    let expected = json!({ "uuid": "00000000-0000-0000-0000-000000000002", "handle": "worf", "display_name": "Worf" });
    assert_eq!((short.status, short.body), (200, expected));
}

#[tokio::test]
async fn a_user_with_more_than_a_thousand_posts_has_a_thousand_and_one_with_fewer_live_ones_all_of_them() {
    let app = TestApp::new().await;
    let count = async || app.get("/api/activities/@andrewbrown?limit=1").await.body["profile"]["cruds_count"].clone();
    // The expired ones are the newest but one: they are read, and not counted.
    for number in 0..989 {
        app.posted(hours(10), number, "old", "1-day").await;
    }
    for number in 0..200 {
        app.posted(hours(4), number, "short", "3-hours").await;
    }
    app.posted(hours(1), 1, "new", "1-day").await;
    assert_eq!(count().await, 990);
    for number in 0..9 {
        app.posted(hours(0), number, "newest", "1-day").await;
    }
    assert_eq!(count().await, 999);
    for number in 9..20 {
        app.posted(hours(0), number, "newest", "1-day").await;
    }
    assert_eq!(count().await, 1000);
}
