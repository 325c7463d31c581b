//! The local server as API clients see it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::dynamodb::DatabaseError;
use cruddur_local::issuer::Issuer;
use cruddur_local::local_server::{LocalServer, StartError};
use cruddur_local::options::Options;
use cruddur_local::seed::USERS;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

async fn start(folder: &Path) -> Result<LocalServer, StartError> {
    start_with(folder, &[]).await
}

async fn start_with(folder: &Path, flags: &[&str]) -> Result<LocalServer, StartError> {
    let defaults = ["cruddur-local", "--port", "0", "--dynamodb-port", "0", "--data-dir", folder.to_str().unwrap()];
    let options = Options::parse_from(defaults.iter().chain(flags));
    LocalServer::start(&options, Clock::system(), None, None).await
}

async fn send(request: Request<Body>) -> (StatusCode, Value) {
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn read(server: &LocalServer, path: &str) -> Value {
    let request = Request::get(format!("http://{}{path}", server.api())).body(Body::empty()).unwrap();
    let (status, body) = send(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

async fn home(server: &LocalServer) -> Vec<(String, String)> {
    let text = |post: &Value, field: &str| post[field].as_str().unwrap().to_owned();
    let feed = read(server, "/api/activities/home").await;
    feed.as_array().unwrap().iter().map(|post| (text(post, "display_name"), text(post, "message"))).collect()
}

async fn sign_in(server: &LocalServer, body: &str) -> (StatusCode, Value) {
    let request = Request::post(format!("http://{}{}", server.api(), cruddur_local::sign_in::PATH));
    send(request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap()).await
}

async fn send_post(server: &LocalServer, authorization: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::post(format!("http://{}/api/activities", server.api()));
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
async fn home_shows_demo_posts_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    assert_eq!(home(&server).await, demo_posts());
    server.stop().await;
}

#[tokio::test]
async fn demo_post_has_a_reply_and_likes() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let shown = read(&server, &format!("/api/activities/{}", server.post())).await;
    let (activity, reply) = (&shown["activity"], &shown["replies"][0]);
    assert_eq!(activity["message"], "Cloud is (very) fun!");
    assert_eq!(activity["likes_count"], 5);
    assert_eq!(activity["replies_count"], 1);
    assert_eq!(reply["handle"], "worf");
    assert_eq!(reply["message"], "This post has no honor!");
    server.stop().await;
}

#[tokio::test]
async fn signed_in_user_can_post() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let (status, signed_in) = sign_in(&server, r#"{"handle":"worf"}"#).await;
    assert_eq!(
        (status, &signed_in["token_type"], &signed_in["expires_in"]),
        (StatusCode::OK, &json!("Bearer"), &json!(3600))
    );
    let bearer = format!("Bearer {}", signed_in["access_token"].as_str().unwrap());
    let (status, created) = send_post(&server, Some(&bearer)).await;
    assert_eq!((status, &created["handle"]), (StatusCode::OK, &json!("worf")));
    assert_eq!(home(&server).await[0], post("Worf", "Hello"));
    server.stop().await;
}

#[tokio::test]
async fn missing_or_foreign_token_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let foreign = Issuer::ephemeral().unwrap().access_token("demo-worf", Clock::system().now()).unwrap();
    for authorization in [None, Some("Bearer null".to_owned()), Some(format!("Bearer {foreign}"))] {
        assert_eq!(send_post(&server, authorization.as_deref()).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(home(&server).await, demo_posts());
    server.stop().await;
}

#[tokio::test]
async fn token_stays_valid_after_restart() {
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
async fn invalid_sign_in_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let (status, problem) = sign_in(&server, r#"{"handle":"nobody"}"#).await;
    assert_eq!((status, &problem["status"]), (StatusCode::NOT_FOUND, &json!(404)));
    for user in USERS {
        assert!(problem["detail"].as_str().unwrap().contains(user.handle), "{problem}");
    }
    for body in ["", "{}", r#"{"handle":7}"#, r#"{"handle":"worf","sub":"x"}"#] {
        let (status, problem) = sign_in(&server, body).await;
        assert!(status.is_client_error() && problem["detail"].is_string(), "{problem}");
    }
    server.stop().await;
}

#[tokio::test]
async fn week2_requests_act_as_andrewbrown() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(folder.path(), &["--compat", "week2"]).await.unwrap();
    for authorization in [None, Some("Bearer null"), Some("Bearer x")] {
        let (status, created) = send_post(&server, authorization).await;
        assert_eq!((status, &created["handle"]), (StatusCode::OK, &json!("andrewbrown")), "{created}");
    }
    // The bodies have the original's fields, and the counts that its page shows.
    let fields = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let feed = read(&server, "/api/activities/@andrewbrown").await;
    assert_eq!(feed[0]["message"], "Hello", "a plain array");
    let (counts, others): (Vec<_>, Vec<_>) = fields(&feed[0]).into_iter().partition(|name| name.ends_with("_count"));
    assert_eq!(counts, ["likes_count", "replies_count", "reposts_count"]);
    assert_eq!(others, ["created_at", "display_name", "expires_at", "handle", "message", "uuid"]);
    let request =
        Request::post(format!("http://{}/api/messages", server.api())).header("content-type", "application/json");
    let body = json!({ "message": "Hello", "user_receiver_handle": "bayko" }).to_string();
    let (status, sent) = send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!((status, &sent["handle"], &sent["message"]), (StatusCode::OK, &json!("andrewbrown"), &json!("Hello")));
    let messages = read(&server, "/api/messages/@bayko").await;
    assert_eq!(fields(&messages[0]), ["created_at", "display_name", "handle", "message", "uuid"]);
    assert!(read(&server, "/api/message_groups").await.is_array());
    assert!(read(&server, "/api/activities/notifications").await.is_array());
    let text = cruddur_local::banner::text(&server, None);
    assert!(text.contains("andrewbrown") && !text.contains("TOKEN"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn local_responses_are_not_cached() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    for (host, body, expected) in [
        (server.api().to_string(), r#"{"handle":"worf"}"#, StatusCode::OK),
        (server.api().to_string(), "{}", StatusCode::UNPROCESSABLE_ENTITY),
        ("foreign.example".to_owned(), r#"{"handle":"worf"}"#, StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = Request::post(format!("http://{}/local/sign-in", server.api()))
            .header("host", host)
            .header("content-type", "application/json");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Body::from(body)).unwrap()).await.unwrap();
        let cached = response.headers().get("cache-control").and_then(|value| value.to_str().ok());
        assert_eq!((response.status(), cached), (expected, Some("no-store")));
    }
    server.stop().await;
}

#[tokio::test]
async fn only_allowed_origins_can_call_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(folder.path(), &["--allow-origin", "http://localhost:5173"]).await.unwrap();
    for (origin, allowed) in [("http://localhost:5173", true), ("http://localhost:3000", false)] {
        let request = Request::get(format!("http://{}/api/health-check", server.api())).header("origin", origin);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
        let header = response.headers().get("access-control-allow-origin").and_then(|value| value.to_str().ok());
        assert_eq!(header, allowed.then_some(origin));
    }
    server.stop().await;
}

#[tokio::test]
async fn sign_in_of_a_rebound_host_or_foreign_page_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(folder.path(), &["--allow-origin", "http://localhost:5173"]).await.unwrap();
    let own = server.api().to_string();
    for (path, host, origin, expected) in [
        ("/local/sign-in", own.as_str(), None, 200),
        ("/local/sign-in", own.as_str(), Some("http://localhost:5173"), 200),
        ("/local/sign-in", own.as_str(), Some("http://attacker.example"), 403),
        ("/local/sign-in", "attacker.example", None, 421),
        ("/local/sign-in", "attacker.example", Some("http://attacker.example"), 421),
        ("/api/health-check", "host.docker.internal", None, 405),
    ] {
        let mut request = Request::post(format!("http://{own}{path}")).header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let request = request.header("content-type", "application/json");
        let (status, body) = send(request.body(Body::from(r#"{"handle":"worf"}"#)).unwrap()).await;
        assert_eq!(status, expected, "{path} {host} {origin:?} {body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn rebound_host_is_rejected_on_every_path_of_week2() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(folder.path(), &["--compat", "week2"]).await.unwrap();
    let own = server.api().to_string();
    for path in ["/api/activities/home", "/api/message_groups", "/api/activities/notifications"] {
        for (host, origin, expected) in [
            (own.as_str(), None, 200),
            (own.as_str(), Some("http://localhost:3000"), 200),
            (own.as_str(), Some("http://attacker.example"), 403),
            ("attacker.example", None, 421),
            ("attacker.example", Some("http://attacker.example"), 421),
        ] {
            let mut request = Request::get(format!("http://{own}{path}")).header("host", host);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let (status, body) = send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(status, expected, "{path} {host} {origin:?} {body}");
        }
    }
    let message = json!({ "message": "pwned", "user_receiver_handle": "bayko" }).to_string();
    let request = Request::post(format!("http://{own}/api/messages")).header("host", "attacker.example");
    let request = request.header("content-type", "application/json").body(Body::from(message)).unwrap();
    assert_eq!(send(request).await.0, 421);
    assert_eq!(read(&server, "/api/message_groups").await, json!([]));
    server.stop().await;
}

#[tokio::test]
async fn damaged_database_is_reported_and_kept() {
    for damage in [
        (|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2)) as fn(&mut Vec<u8>),
        |bytes| bytes[8_192..].fill(0xA5),
        // The last occurrence is in the index of the table's primary key.
        |bytes| {
            let key = bytes.windows(14).rposition(|window| window == b"schema_version").unwrap();
            bytes[key] ^= 1;
        },
        |bytes| *bytes = b"not a database".repeat(100),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dynamodb.sqlite");
        drop(dynoxide::Database::new(file.to_str().unwrap()).unwrap());
        let mut bytes = std::fs::read(&file).unwrap();
        damage(&mut bytes);
        std::fs::write(&file, &bytes).unwrap();

        let error = start(folder.path()).await.unwrap_err();
        assert!(matches!(error, StartError::Database(DatabaseError::Unusable { .. })), "{error}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert!(std::fs::read(&file).unwrap() == bytes);

        std::fs::rename(&file, folder.path().join("damaged")).unwrap();
        let again = start(folder.path()).await.unwrap();
        assert_eq!(home(&again).await, demo_posts());
        again.stop().await;
    }
}

#[tokio::test]
async fn database_of_another_program_is_reported_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dynamodb.sqlite");
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE mynotes (a)").unwrap();
    let written = std::fs::read(&file).unwrap();
    let error = start(folder.path()).await.unwrap_err();
    assert!(matches!(error, StartError::Database(DatabaseError::Unusable { .. })), "{error}");
    assert!(std::fs::read(&file).unwrap() == written);
}

#[test]
fn damaged_database_is_one_error_and_no_banner() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dynamodb.sqlite");
    std::fs::write(&file, "not a database").unwrap();
    let output = program(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let error = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = error.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    assert!(matches!(lines[..], [line] if line.contains(file.to_str().unwrap())), "{error}");
}

#[tokio::test]
async fn half_open_connection_does_not_prevent_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let mut connections = Vec::new();
    for address in [server.api(), server.endpoint()] {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        connection.write_all(b"POST /api/activities HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
        connections.push(connection);
    }
    server.stop().await;
    start(folder.path()).await.unwrap().stop().await;
}

/// The log also contains traces.
#[cfg(unix)]
#[test]
fn ctrl_c_with_an_open_connection_stops_the_program_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = program(folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let api = output.find_map(|line| Some(line.trim().strip_prefix("API")?.trim().to_owned())).unwrap();
    let mut connection = std::net::TcpStream::connect(api.strip_prefix("http://").unwrap()).unwrap();
    connection.write_all(b"POST /api/activities HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let rest: Vec<_> = output.collect();
    assert_eq!(rest.last().unwrap(), "Stopped.");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(!log.contains(" ERROR ") && !log.contains(" WARN "), "{log}");
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cruddur-local"));
    command.args(["--port", "0", "--dynamodb-port", "0", "--data-dir", folder.to_str().unwrap(), "--no-console"]);
    command
}

#[tokio::test]
async fn page_is_served_to_names_of_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let port = server.api().port();
    for path in ["/", "/main.js", "/settings.json"] {
        for (host, expected) in [(format!("localhost:{port}"), 200), (format!("attacker.example:{port}"), 421)] {
            let request = Request::get(format!("http://{}{path}", server.api())).header("host", &host);
            let request = request.header("accept", "text/html").body(Body::empty()).unwrap();
            let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
            assert_eq!(response.status(), expected, "{host}{path}");
        }
    }
    let links = read(&server, "/").await;
    assert_eq!((&links["home"], &links["console"]), (&json!("/api/activities/home"), &Value::Null));
    server.stop().await;
}

#[tokio::test]
async fn user_pool_does_not_start_in_lambda() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path()).env("AWS_LAMBDA_FUNCTION_NAME", "api").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("AWS_LAMBDA_FUNCTION_NAME"));
}

#[tokio::test]
async fn restart_keeps_posts_and_adds_none() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let shown = read(&first, "/api/activities/home").await;
    first.stop().await;

    let second = start(folder.path()).await.unwrap();
    assert_eq!(read(&second, "/api/activities/home").await, shown);
    second.stop().await;
}

#[tokio::test]
async fn data_directory_is_locked_by_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let error = start(folder.path()).await.unwrap_err();
    assert!(matches!(error, StartError::Data(_)), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn banner_has_addresses_and_sign_in_command() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let text = cruddur_local::banner::text(&server, None);
    for expected in [
        format!("TOKEN=$(curl -s http://{}/local/sign-in", server.api()),
        r#"-H "Authorization: Bearer $TOKEN""#.to_owned(),
        format!("curl http://{}/api/activities/home", server.api()),
        format!("curl http://{}/api/activities/{}", server.api(), server.post()),
        format!("--endpoint-url http://{}", server.endpoint()),
    ] {
        assert!(text.contains(&expected), "{expected} is not in:\n{text}");
    }
    server.stop().await;
}
