//! The whole local server, as a user of its API sees it.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use clap::Parser;
use cruddur::clock::Clock;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local::options::Options;
use local::running::{Running, StartError};
use serde_json::{Value, json};

async fn start(folder: &Path) -> Result<Running, StartError> {
    let folder = folder.to_str().unwrap();
    let options = Options::parse_from(["local", "--port", "0", "--dynamodb-port", "0", "--data-dir", folder]);
    Running::start(&options, Clock::system(), None).await
}

async fn send(request: Request<Body>) -> (StatusCode, Value) {
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn read(running: &Running, path: &str) -> Value {
    let request = Request::get(format!("http://{}{path}", running.api())).body(Body::empty()).unwrap();
    let (status, body) = send(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

async fn home(running: &Running) -> Vec<(String, String)> {
    let text = |post: &Value, field: &str| post[field].as_str().unwrap().to_owned();
    let feed = read(running, "/api/activities/home").await;
    feed.as_array().unwrap().iter().map(|post| (text(post, "display_name"), text(post, "message"))).collect()
}

fn post(author: &str, message: &str) -> (String, String) {
    (author.to_owned(), message.to_owned())
}

fn demo_posts() -> Vec<(String, String)> {
    vec![
        post("Garek", "My dear doctor, I am just simple tailor"),
        post("Andrew Brown", "Cloud is (very) fun!"),
        post("Worf", "I am out of prune juice"),
    ]
}

#[tokio::test]
async fn the_home_feed_shows_the_demo_posts_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    assert_eq!(home(&running).await, demo_posts());
    running.stop().await;
}

#[tokio::test]
async fn a_demo_post_shows_its_reply_and_its_likes() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let shown = read(&running, &format!("/api/activities/{}", running.post())).await;
    let (activity, reply) = (&shown["activity"], &shown["replies"][0]);
    assert_eq!(activity["message"], "Cloud is (very) fun!");
    assert_eq!(activity["likes_count"], 5);
    assert_eq!(activity["replies_count"], 1);
    assert_eq!(reply["handle"], "worf");
    assert_eq!(reply["message"], "This post has no honor!");
    running.stop().await;
}

#[tokio::test]
async fn a_post_made_is_andrews_and_is_in_the_next_answer() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let request = Request::post(format!("http://{}/api/activities", running.api()))
        .header("content-type", "application/json")
        .body(Body::from(json!({ "message": "Hello", "ttl": "1-day" }).to_string()))
        .unwrap();
    let (status, made) = send(request).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(made["handle"], "andrewbrown");
    assert_eq!(home(&running).await[0], post("Andrew Brown", "Hello"));
    running.stop().await;
}

#[tokio::test]
async fn a_second_start_adds_nothing_and_keeps_what_was_posted() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let shown = read(&first, "/api/activities/home").await;
    first.stop().await;

    let second = start(folder.path()).await.unwrap();
    assert_eq!(read(&second, "/api/activities/home").await, shown);
    second.stop().await;
}

#[tokio::test]
async fn a_folder_serves_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let error = start(folder.path()).await.unwrap_err();
    assert!(matches!(error, StartError::Data(_)), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn the_start_says_where_to_go_and_as_whom_one_acts() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let text = local::banner::text(&running);
    for expected in [
        "acts as the demo user andrewbrown (Andrew Brown)".to_owned(),
        format!("curl http://{}/api/activities/home", running.api()),
        format!("curl http://{}/api/activities/{}", running.api(), running.post()),
        format!("--endpoint-url http://{}", running.endpoint()),
    ] {
        assert!(text.contains(&expected), "{expected} is not in:\n{text}");
    }
    running.stop().await;
}
