use cruddur::api::{self, AppState, Keys};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{ANDREW, SECRET, TestApp, answer, hours, request};

const FOREIGN: &str = "`cursor` is not one of ours: take it as it is from the `Link` header of the page before.";
const NOT_SIGNED: &str = "`cursor` was altered, or was made for another route or another user: begin again without it.";
const EXPIRED: &str = "`cursor` is older than 24 hours: begin again without it.";

async fn two_posts() -> TestApp {
    let app = TestApp::new().await;
    app.posted(hours(0), 1, "old", "7-days").await;
    app.posted(hours(0), 2, "new", "7-days").await;
    app
}

async fn refusal(app: &TestApp, cursor: &str) -> String {
    let answer = app.get(&format!("/api/activities/home?cursor={cursor}")).await;
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("bad_cursor")), "{}", answer.body);
    answer.body["detail"].as_str().unwrap().to_owned()
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
    assert_eq!(refusal(&app, &cursor_of(&next)).await, EXPIRED);
}

#[tokio::test]
async fn cursor_is_bound_to_its_user() {
    let app = two_posts().await;
    let anonymous = app.get("/api/activities/home?limit=1").await.next().unwrap();
    let andrews = app.get_as(ANDREW, "/api/activities/home?limit=1").await.next().unwrap();
    assert_eq!(app.get_as(ANDREW, &format!("/api/activities/home{andrews}")).await.messages(), ["old"]);
    for (sub, query) in [("demo-worf", &andrews), ("demo-worf", &anonymous), (ANDREW, &anonymous)] {
        let answer = app.get_as(sub, &format!("/api/activities/home{query}")).await;
        assert_eq!((answer.status, &answer.body["detail"]), (400, &json!(NOT_SIGNED)));
    }
    assert_eq!(refusal(&app, &cursor_of(&andrews)).await, NOT_SIGNED);
}

#[tokio::test]
async fn altered_cursor_is_rejected() {
    let app = two_posts().await;
    let cursor = cursor_of(&app.get("/api/activities/home?limit=1").await.next().unwrap());
    assert_eq!(cursor.len(), 76);
    for at in 0..cursor.len() {
        let mut altered = cursor.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let detail = refusal(&app, &String::from_utf8(altered).unwrap()).await;
        assert!([FOREIGN, NOT_SIGNED].contains(&detail.as_str()), "{at}: {detail}");
    }
}

#[tokio::test]
async fn text_that_is_no_cursor_is_rejected() {
    let app = two_posts().await;
    for cursor in ["", "abc", "%00", "%ff", "eyJwayI6IkhPTUUjMSJ9", &"A".repeat(5000), "AQAAA7ss=="] {
        assert_eq!(refusal(&app, cursor).await, FOREIGN);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_text_is_no_cursor(cursor in "[A-Za-z0-9_-]{0,120}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Needs no table: the cursor is rejected before any read.
            let app = TestApp::on(cruddur::store::client(&crate::support::sdk("http://127.0.0.1:9")));
            refusal(&app, &cursor).await;
        });
    }
}
