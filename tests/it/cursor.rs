use cruddur::api::{self, AppState, Keys};

use crate::support::{ANDREW, SECRET, TestApp, answer, hours, request};

async fn two_posts() -> TestApp {
    let app = TestApp::new().await;
    app.posted(hours(0), 1, "old", "7-days").await;
    app.posted(hours(0), 2, "new", "7-days").await;
    app
}

async fn assert_rejected(app: &TestApp, cursor: &str) {
    app.get(&format!("/api/activities/home?cursor={cursor}")).await.assert_error(400, "bad_cursor");
}

fn cursor_of(query: &str) -> String {
    query.strip_prefix("?cursor=").unwrap().split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn cursor_expires_after_24_hours() {
    let app = two_posts().await;
    let next = app.get("/api/activities/home?limit=1").await.next().unwrap();
    app.pass(hours(24) - jiff::SignedDuration::from_millis(1));
    assert_eq!(app.get(&format!("/api/activities/home{next}")).await.messages(), ["old"]);
    app.pass(jiff::SignedDuration::from_millis(1));
    assert_rejected(&app, &cursor_of(&next)).await;
}

#[tokio::test]
async fn cursor_is_bound_to_its_user() {
    let app = two_posts().await;
    let anonymous = app.get("/api/activities/home?limit=1").await.next().unwrap();
    let andrews = app.get_as(ANDREW, "/api/activities/home?limit=1").await.next().unwrap();
    assert_eq!(app.get_as(ANDREW, &format!("/api/activities/home{andrews}")).await.messages(), ["old"]);
    for (sub, query) in [("demo-worf", &andrews), ("demo-worf", &anonymous), (ANDREW, &anonymous)] {
        app.get_as(sub, &format!("/api/activities/home{query}")).await.assert_error(400, "bad_cursor");
    }
    assert_rejected(&app, &cursor_of(&andrews)).await;
}

#[tokio::test]
async fn altered_cursor_is_rejected() {
    let app = two_posts().await;
    let cursor = cursor_of(&app.get("/api/activities/home?limit=1").await.next().unwrap());
    for at in 0..cursor.len() {
        let mut altered = cursor.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        assert_rejected(&app, &String::from_utf8(altered).unwrap()).await;
    }
}

#[tokio::test]
async fn text_that_is_no_cursor_is_rejected() {
    let app = two_posts().await;
    for cursor in ["", "abc", "%00", "%ff", "eyJwayI6IkhPTUUjMSJ9", &"A".repeat(5000), "AQAAA7ss=="] {
        assert_rejected(&app, cursor).await;
    }
}

#[tokio::test]
async fn cursor_of_the_previous_secret_is_accepted() {
    let app = two_posts().await;
    let next = app.get("/api/activities/home?limit=1").await.next().unwrap();
    let new: &[u8] = b"the secret after the rotation of it";
    for (keys, status) in [(Keys::new(new, Some(SECRET)), 200), (Keys::new(new, None), 400)] {
        let router = api::router(AppState { keys, ..app.state.clone() });
        let uri = format!("/api/activities/home{next}");
        let answer = answer(router, request("GET", &uri).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status);
    }
}
