use axum::body::Body;
use serde_json::json;

use crate::support::{Answer, TestApp, hours, request};

#[tokio::test]
async fn empty_home_is_an_empty_array_without_link() {
    let app = TestApp::new().await;
    let home = app.get("/api/activities/home").await;
    assert_eq!((home.status, home.body, home.response.headers().get("link")), (200, json!([]), None));
}

#[tokio::test]
async fn home_has_the_original_fields() {
    let app = TestApp::new().await;
    app.posted(hours(1), 7, "Cloud is (very) fun!", "7-days").await;
    let home = app.get("/api/activities/home").await;
    assert_eq!(home.header("content-type"), Some("application/json"));
    let expected = json!([{
        "uuid": "01a202e9-b47a-7000-8000-000000000007",
        "display_name": "Andrew Brown",
        "handle": "andrewbrown",
        "message": "Cloud is (very) fun!",
        "replies_count": 0,
        "reposts_count": 0,
        "likes_count": 0,
        "expires_at": "2026-11-29T11:00:00.250Z",
        "created_at": "2026-11-22T11:00:00.250Z",
    }]);
    assert_eq!(home.body, expected);
}

#[tokio::test]
async fn home_is_newest_first() {
    let app = TestApp::new().await;
    for (number, days) in [(1, 3), (2, 29), (3, 0), (4, 12), (5, 20)] {
        app.posted(hours(24 * days), number, &format!("{days} days old"), "30-days").await;
    }
    let home = app.get("/api/activities/home").await;
    let expected = ["0 days old", "3 days old", "12 days old", "20 days old", "29 days old"];
    assert_eq!(home.messages(), expected);
}

#[tokio::test]
async fn post_in_the_oldest_bucket_is_in_home() {
    let app = TestApp::new().await;
    app.posted(hours(30 * 24 - 1), 1, "about to go", "30-days").await;
    assert_eq!(app.get("/api/activities/home").await.messages(), ["about to go"]);
}

#[tokio::test]
async fn post_disappears_in_the_millisecond_it_expires() {
    let app = TestApp::new().await;
    app.posted(hours(0), 1, "short", "1-hour").await;
    app.pass(jiff::SignedDuration::from_millis(3_599_999));
    assert_eq!(app.get("/api/activities/home").await.messages(), ["short"]);
    app.pass(jiff::SignedDuration::from_millis(1));
    assert_eq!(app.get("/api/activities/home").await.body, json!([]));
}

#[tokio::test]
async fn pages_contain_simultaneous_posts_once() {
    let app = TestApp::new().await;
    for number in 0..57 {
        app.posted(hours(2), number, &number.to_string(), "1-day").await;
    }
    let pages = app.pages(None, "/api/activities/home", "?limit=10").await;
    let numbers =
        |page: &Answer| page.messages().iter().map(|number| number.parse::<u64>().unwrap()).collect::<Vec<_>>();
    let pages: Vec<_> = pages.iter().map(numbers).collect();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10, 10, 10, 7]);
    assert_eq!(pages.concat(), (0..57).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn last_page_has_no_link() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "one", "1-day").await;
    app.posted(hours(1), 2, "two", "1-day").await;
    assert_eq!(app.get("/api/activities/home?limit=2").await.next(), None);
    let first = app.get("/api/activities/home?limit=1").await;
    assert!(first.next().unwrap().ends_with("&limit=1"));
}

#[tokio::test]
async fn live_post_behind_expired_posts_is_in_home() {
    let app = TestApp::new().await;
    app.posted(hours(3), 1, "alive", "1-day").await;
    for number in 2..60 {
        app.posted(hours(2), number, "dead", "1-hour").await;
    }
    assert_eq!(app.get("/api/activities/home?limit=1").await.messages(), ["alive"]);
}

#[tokio::test]
async fn short_page_of_expired_posts_has_a_link() {
    let app = TestApp::new().await;
    app.posted(hours(4), 0, "alive", "1-day").await;
    // More than the eight queries of a page read.
    for number in 1..720 {
        app.posted(hours(2), number, "dead", "1-hour").await;
    }
    let short = app.get("/api/activities/home?limit=1").await;
    assert_eq!((short.status, &short.body), (200, &json!([])));
    let rest = app.get(&format!("/api/activities/home{}", short.next().unwrap())).await;
    assert_eq!((rest.messages(), rest.next()), (vec!["alive"], None));
}

#[tokio::test]
async fn home_defaults_to_20_posts() {
    let app = TestApp::new().await;
    for number in 0..22 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    assert_eq!(app.get("/api/activities/home").await.messages().len(), 20);
    assert_eq!(app.get("/api/activities/home?limit=100").await.messages().len(), 22);
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let app = TestApp::new().await;
    let head = app.send(request("HEAD", "/api/health-check").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.body), (200, json!(null)));
    let health = app.get("/api/health-check").await;
    assert_eq!((health.status, health.body), (200, json!({ "success": true, "ver": 1 })));
}
