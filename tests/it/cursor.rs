use axum::body::Body;
use cruddur::api::{self, AppState, Identity, Keys};
use cruddur_local::issuer::Issuer;
use serde_json::json;

use crate::support::{ANDREW, Answer, ISSUER, SECRET, TestApp, answer, at, hours, request};

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
}

/// Andrew's token that expired on 2026-11-22 at 11:30.
fn expired() -> String {
    let mut claims = Issuer::claims(ANDREW, at("2026-11-22T10:30:00Z"));
    claims["exp"] = json!(at("2026-11-22T11:30:00Z").as_second());
    format!("Bearer {}", ISSUER.sign(&json!({ "alg": "RS256", "kid": ISSUER.kid() }), &claims).unwrap())
}

async fn get_with(app: &TestApp, uri: &str, authorization: Option<&str>) -> Answer {
    let mut request = request("GET", uri).body(Body::empty()).unwrap();
    if let Some(value) = authorization {
        request.headers_mut().insert("authorization", value.parse().unwrap());
    }
    app.send(request).await
}

#[tokio::test]
async fn cursor_of_a_user_without_a_valid_token_is_401() {
    let mut app = TestApp::new().await;
    for number in 1..3 {
        app.posted(hours(1), number, "old new", "7-days").await;
    }
    // Indexes the posts for the search.
    app.settle().await;
    for (list, separator) in [("/api/activities/home", "?"), ("/api/activities/search?term=old+new", "&")] {
        let first = app.get_as(ANDREW, &format!("{list}{separator}limit=1")).await;
        let uri = format!("{}{}", list.split('?').next().unwrap(), first.next().unwrap());
        let second = app.get_as(ANDREW, &uri).await;
        assert_eq!((second.status, second.body.as_array().unwrap().len()), (200, 1), "{uri}");
        for (authorization, code, reason) in [
            (None, "unauthenticated", "missing"),
            (Some("Bearer null".to_owned()), "unauthenticated", "missing"),
            (Some(expired()), "bad_token", "expired"),
            (Some("Bearer x".to_owned()), "bad_token", "malformed"),
        ] {
            let answer = get_with(&app, &uri, authorization.as_deref()).await;
            answer.assert_error(401, code);
            assert_eq!(answer.body["reason"], reason, "{list}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
        // Without a cursor, the same requests are anonymous.
        assert_eq!(get_with(&app, list, Some(&expired())).await.status, 200);
    }
}

#[tokio::test]
async fn cursor_of_a_user_without_signing_keys_is_503() {
    let app = two_posts().await;
    let next = app.get_as(ANDREW, "/api/activities/home?limit=1").await.next().unwrap();
    let mut keyless = TestApp::on(app.client.clone());
    keyless.state.identity = Identity::tokens(Issuer::pool(), async || Err("no key server".into()));
    let answer = get_with(&keyless, &format!("/api/activities/home{next}"), Some(&expired())).await;
    answer.assert_error(503, "no_key_set");
}

#[tokio::test]
async fn expired_cursor_of_a_user_is_rejected_first() {
    let app = two_posts().await;
    let next = app.get_as(ANDREW, "/api/activities/home?limit=1").await.next().unwrap();
    app.pass(hours(24));
    assert_rejected(&app, &cursor_of(&next)).await;
}

#[tokio::test]
async fn altered_cursor_of_a_user_is_rejected() {
    let app = two_posts().await;
    let cursor = cursor_of(&app.get_as(ANDREW, "/api/activities/home?limit=1").await.next().unwrap());
    let other_route = app.get(&format!("/api/activities/search?term=old&cursor={cursor}")).await;
    other_route.assert_error(400, "bad_cursor");
    for at in 0..cursor.len() {
        let mut altered = cursor.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_rejected(&app, &altered).await;
        let uri = format!("/api/activities/home?cursor={altered}");
        app.get_as(ANDREW, &uri).await.assert_error(400, "bad_cursor");
    }
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
        let answer = answer(router, request("GET", &uri).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status);
    }
}
