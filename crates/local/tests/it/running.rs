//! The whole local server, as a user of its API sees it.

use std::path::Path;
use std::process::Command;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::issuer::Issuer;
use cruddur_local::options::Options;
use cruddur_local::running::{Running, StartError};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

async fn start(folder: &Path) -> Result<Running, StartError> {
    start_with(folder, &[]).await
}

async fn start_with(folder: &Path, flags: &[&str]) -> Result<Running, StartError> {
    let always = ["cruddur-local", "--port", "0", "--dynamodb-port", "0", "--data-dir", folder.to_str().unwrap()];
    let options = Options::parse_from(always.iter().chain(flags));
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

async fn sign_in(running: &Running, body: &str) -> (StatusCode, Value) {
    let request = Request::post(format!("http://{}{}", running.api(), cruddur_local::sign_in::PATH));
    send(request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap()).await
}

async fn send_post(running: &Running, authorization: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::post(format!("http://{}/api/activities", running.api()));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let body = Body::from(json!({ "message": "Hello", "ttl": "1-day" }).to_string());
    send(request.header("content-type", "application/json").body(body).unwrap()).await
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
async fn who_signs_in_may_post() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let (status, signed_in) = sign_in(&running, r#"{"handle":"worf"}"#).await;
    assert_eq!(
        (status, &signed_in["token_type"], &signed_in["expires_in"]),
        (StatusCode::OK, &json!("Bearer"), &json!(3600))
    );
    let bearer = format!("Bearer {}", signed_in["access_token"].as_str().unwrap());
    let (status, made) = send_post(&running, Some(&bearer)).await;
    assert_eq!((status, &made["handle"]), (StatusCode::OK, &json!("worf")));
    assert_eq!(home(&running).await[0], post("Worf", "Hello"));
    running.stop().await;
}

#[tokio::test]
async fn without_a_token_of_this_machine_nobody_is_signed_in() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let foreign = Issuer::fleeting().unwrap().access_token("demo-worf", Clock::system().now()).unwrap();
    for authorization in [None, Some("Bearer null".to_owned()), Some(format!("Bearer {foreign}"))] {
        assert_eq!(send_post(&running, authorization.as_deref()).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(home(&running).await, demo_posts());
    running.stop().await;
}

#[tokio::test]
async fn a_token_outlives_the_process_that_signed_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let (_, signed_in) = sign_in(&first, r#"{"handle":"bayko"}"#).await;
    first.stop().await;
    let second = start(folder.path()).await.unwrap();
    let bearer = format!("Bearer {}", signed_in["access_token"].as_str().unwrap());
    assert_eq!(send_post(&second, Some(&bearer)).await.1["handle"], "bayko");
    second.stop().await;
}

#[tokio::test]
async fn signing_in_wrongly_is_told_with_who_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let (status, problem) = sign_in(&running, r#"{"handle":"nobody"}"#).await;
    let told = "There is no such demo user; there are andrewbrown, altbrown, bayko, londo, worf, garek.";
    assert_eq!((status, &problem["detail"]), (StatusCode::NOT_FOUND, &json!(told)));
    for body in ["", "{}", r#"{"handle":7}"#, r#"{"handle":"worf","sub":"x"}"#] {
        let (status, problem) = sign_in(&running, body).await;
        assert!(status.is_client_error() && problem["detail"].is_string(), "{problem}");
    }
    running.stop().await;
}

#[tokio::test]
async fn for_the_week_2_client_everybody_is_andrew() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(folder.path(), &["--compat", "week2"]).await.unwrap();
    for authorization in [None, Some("Bearer null"), Some("Bearer x")] {
        let (status, made) = send_post(&running, authorization).await;
        assert_eq!((status, &made["handle"]), (StatusCode::OK, &json!("andrewbrown")), "{made}");
    }
    // The same shapes as the original's, whatever more they have.
    let fields = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let feed = read(&running, "/api/activities/@andrewbrown").await;
    assert_eq!(feed[0]["message"], "Hello", "a plain array");
    assert_eq!(fields(&feed[0]), ["created_at", "display_name", "expires_at", "handle", "message", "uuid"]);
    let request =
        Request::post(format!("http://{}/api/messages", running.api())).header("content-type", "application/json");
    let body = json!({ "message": "Hello", "user_receiver_handle": "bayko" }).to_string();
    let (status, sent) = send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!((status, &sent["handle"], &sent["message"]), (StatusCode::OK, &json!("andrewbrown"), &json!("Hello")));
    let messages = read(&running, "/api/messages/@bayko").await;
    assert_eq!(fields(&messages[0]), ["created_at", "display_name", "handle", "message", "uuid"]);
    assert!(read(&running, "/api/message_groups").await.is_array());
    assert!(read(&running, "/api/activities/notifications").await.is_array());
    let text = cruddur_local::banner::text(&running);
    assert!(text.contains("Every request acts as the demo user andrewbrown (Andrew Brown)."), "{text}");
    assert!(!text.contains("TOKEN"), "{text}");
    running.stop().await;
}

#[tokio::test]
async fn the_original_clients_page_may_call_and_others_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_with(folder.path(), &["--allow-origin", "http://localhost:5173"]).await.unwrap();
    for (origin, allowed) in [("http://localhost:5173", true), ("http://localhost:3000", false)] {
        let request = Request::get(format!("http://{}/api/health-check", running.api())).header("origin", origin);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
        let header = response.headers().get("access-control-allow-origin").and_then(|value| value.to_str().ok());
        assert_eq!(header, allowed.then_some(origin));
    }
    running.stop().await;
}

#[tokio::test]
async fn the_user_pool_does_not_start_in_lambda() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_cruddur-local"))
        .args(["--port", "0", "--dynamodb-port", "0", "--data-dir", folder.path().to_str().unwrap()])
        .env("AWS_LAMBDA_FUNCTION_NAME", "api")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let told = "error: the local user pool signs in whoever asks, so it does not start in AWS Lambda \
                (AWS_LAMBDA_FUNCTION_NAME)\n";
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), told);
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
async fn the_start_says_where_to_go_and_how_to_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await.unwrap();
    let text = cruddur_local::banner::text(&running);
    for expected in [
        "Sign in as one of andrewbrown, altbrown, bayko, londo, worf, garek.".to_owned(),
        format!("TOKEN=$(curl -s http://{}/local/sign-in", running.api()),
        r#"-H "Authorization: Bearer $TOKEN""#.to_owned(),
        format!("curl http://{}/api/activities/home", running.api()),
        format!("curl http://{}/api/activities/{}", running.api(), running.post()),
        format!("--endpoint-url http://{}", running.endpoint()),
    ] {
        assert!(text.contains(&expected), "{expected} is not in:\n{text}");
    }
    running.stop().await;
}
