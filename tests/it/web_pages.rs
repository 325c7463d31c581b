//! Errors as the original's web pages show them: a JSON array, whose elements are codes or texts.

use axum::body::Body;
use axum::http::{Method, Request};
use cruddur::api::Compat;
use serde_json::{Value, json};

use crate::support::{ANDREW, ORIGIN, TestApp, WORF, hours, request, signed_in};

/// A request as the browser sends it for a page, which accepts everything.
fn of_page(method: &str, uri: &str, sub: Option<&str>, body: &Value) -> Request<Body> {
    let request = request(method, uri).header("origin", ORIGIN).header("accept", "*/*");
    let request = request.header("content-type", "application/json");
    let body = if method == Method::GET { Body::empty() } else { Body::from(body.to_string()) };
    let request = request.body(body).unwrap();
    match sub {
        Some(sub) => signed_in(request, sub),
        None => request,
    }
}

#[tokio::test]
async fn web_page_receives_errors_as_arrays() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "post", "1-day").await.id;
    let path = format!("/api/activities/{post}");
    let new = json!({ "message": "x", "ttl": "1-day" });
    for (method, uri, sub, body, status, elements) in [
        ("POST", "/api/activities", None, &new, 401, json!(["generic_401"])),
        ("GET", "/api/message_groups", None, &Value::Null, 401, json!(["generic_401"])),
        ("POST", "/api/activities", Some("nobody"), &new, 403, json!(["generic_403"])),
        ("DELETE", &path, Some(WORF), &Value::Null, 403, json!(["generic_403"])),
        ("POST", "/api/activities", Some(ANDREW), &json!({}), 422, json!(["ttl_blank", "message_blank"])),
        ("GET", "/api/activities/@nobody", None, &Value::Null, 404, json!(["The user does not exist."])),
        (
            "POST",
            "/api/messages",
            Some(ANDREW),
            &json!({ "message": 5 }),
            400,
            json!(["Invalid body: `message` must be a string, not a number."]),
        ),
    ] {
        let answer = app.send(of_page(method, uri, sub, body)).await;
        assert_eq!((answer.status, &answer.body), (status, &elements), "{method} {uri}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{method} {uri}");
    }
    let challenged = app.send(of_page("POST", "/api/activities", None, &new)).await;
    assert_eq!(challenged.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn internal_error_is_generic_500_for_web_pages() {
    let mut app = TestApp::new().await;
    app.state.clock = cruddur::clock::Clock::new(|| panic!("canary"), |at| crate::support::numbered(at, 0));
    let answer = app.send(of_page("GET", "/api/activities/home", None, &Value::Null)).await;
    assert_eq!((answer.status, answer.body), (500, json!(["generic_500"])));
}

#[tokio::test]
async fn web_page_receives_a_problem_if_it_accepts_one() {
    let app = TestApp::new().await;
    let mut request = of_page("POST", "/api/activities", None, &Value::Null);
    request.headers_mut().insert("accept", "application/json, application/problem+json".parse().unwrap());
    app.send(request).await.assert_error(401, "unauthenticated");
}

#[tokio::test]
async fn new_post_has_replies_for_the_first_client_only() {
    let mut app = TestApp::new().await;
    let new = json!({ "message": "x", "ttl": "1-day" });
    let post = app.post_as(ANDREW, "/api/activities", &new).await;
    assert_eq!(post.body.get("replies"), None);
    app.state.compat = Compat::Week2;
    let post = app.post_as(ANDREW, "/api/activities", &new).await;
    assert_eq!(post.body["replies"], json!([]));
    let reply = format!("/api/activities/{}/reply", post.body["uuid"].as_str().unwrap());
    assert_eq!(app.post_as(ANDREW, &reply, &json!({ "message": "y" })).await.body["replies"], json!([]));
}

#[tokio::test]
async fn user_page_shows_counts() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "post", "1-day").await.id;
    app.replied(post, hours(0), 2, "reply").await;
    app.put_as(WORF, &format!("/api/activities/{post}/like")).await;
    app.put_as(WORF, &format!("/api/activities/{post}/repost")).await;
    let row = app.get("/api/activities/@andrewbrown").await.body["activities"][0].clone();
    let counts = ["replies_count", "reposts_count", "likes_count"].map(|name| row[name].clone());
    assert_eq!(counts, [json!(1), json!(1), json!(1)]);
}
