//! What the original's two web clients send, page by page, and what they read of each answer; sent as a browser does for
//! a page of another origin.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::options::Options;
use cruddur_local::running::Running;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Where the clients' own development server serves their pages.
const PAGE: &str = "http://localhost:3000";
const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json");

/// Fields by their paths: `[]` stands for each row of a list that is not empty.
const POST: &[&str] = &["[].uuid", "[].handle", "[].display_name", "[].message", "[].created_at", "[].expires_at"];
const COUNTS: &[&str] = &["[].replies_count", "[].reposts_count", "[].likes_count"];
const MADE: &[&str] = &["uuid", "handle", "display_name", "message", "created_at", "expires_at"];
const GROUPS: &[&str] = &["[].uuid", "[].handle", "[].display_name", "[].message", "[].created_at"];
const SENT: &[&str] = &["uuid", "handle", "display_name", "message", "created_at"];

/// A request of a page. `{…}` in its path and its body are ids that came before.
struct Call {
    page: &'static str,
    request: (&'static str, &'static str),
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Value>,
    reads: Vec<&'static [&'static str]>,
    /// The answer's part that later calls name: the name, and where it is.
    keep: Option<(&'static str, &'static str)>,
}

fn call(page: &'static str, method: &'static str, path: &'static str) -> Call {
    Call { page, request: (method, path), headers: Vec::new(), body: None, reads: Vec::new(), keep: None }
}

impl Call {
    fn with(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers.extend(headers);
        self
    }

    fn sends(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn reads(mut self, fields: &'static [&'static str]) -> Self {
        self.reads.push(fields);
        self
    }

    fn keeps(self, name: &'static str, at: &'static str) -> Self {
        Self { keep: Some((name, at)), ..self }
    }
}

/// A page that is open in a browser.
struct Browser {
    api: SocketAddr,
    kept: Vec<(&'static str, String)>,
}

impl Browser {
    fn filled(&self, text: &str) -> String {
        self.kept.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    async fn send(&self, request: Request<Body>) -> (u16, HeaderMap, Value) {
        let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn make(&mut self, call: Call) {
        let Call { page, request: (method, path), headers, body, reads, keep } = call;
        let told = format!("{page}: {method} {path}");
        let url = format!("http://{}{}", self.api, self.filled(path));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, self.filled(value))).collect();

        // What is not as simple as a form's request, a browser asks for first.
        let mut asked: Vec<_> = headers.iter().map(|(name, _)| *name).filter(|name| *name != ACCEPT.0).collect();
        asked.sort_unstable();
        if !asked.is_empty() || !["GET", "POST"].contains(&method) {
            let preflight =
                Request::options(&url).header("origin", PAGE).header("access-control-request-method", method);
            let preflight = preflight.header("access-control-request-headers", asked.join(","));
            let (status, answer, _) = self.send(preflight.body(Body::empty()).unwrap()).await;
            assert!((200..300).contains(&status), "{told}: {status}");
            let allowed = |name: &str| answer.get(name).unwrap().to_str().unwrap().to_lowercase();
            assert_eq!(allowed("access-control-allow-origin"), PAGE, "{told}");
            let methods = allowed("access-control-allow-methods");
            assert!(methods.split(',').any(|allowed| allowed.trim().eq_ignore_ascii_case(method)), "{told}: {methods}");
            let names = allowed("access-control-allow-headers");
            for name in asked {
                assert!(names.split(',').any(|allowed| allowed.trim() == name), "{told}: {names}");
            }
        }

        let mut request = Request::builder().method(method).uri(&url).header("origin", PAGE);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = body.map(|body| self.filled(&body.to_string()));
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let (status, answer, body) = self.send(request).await;
        assert_eq!(status, 200, "{told}: {body}");
        assert_eq!(answer.get("access-control-allow-origin").unwrap(), PAGE, "{told}");
        for field in reads.into_iter().flatten() {
            has(&body, field).unwrap_or_else(|fault| unreachable!("{told}: `{field}` {fault}, of {body}"));
        }
        if let Some((name, at)) = keep {
            self.kept.push((name, body.pointer(at).and_then(Value::as_str).unwrap().to_owned()));
        }
    }
}

/// Whether what a page shows is there: a text or a number.
fn has(value: &Value, path: &str) -> Result<(), String> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if first == "[]" {
        let rows = value.as_array().filter(|rows| !rows.is_empty()).ok_or("is in no list with rows")?;
        return rows.iter().try_for_each(|row| has(row, rest));
    }
    let found = value.get(first).ok_or_else(|| format!("is missing at `{first}`"))?;
    match rest {
        "" if found.is_string() || found.is_number() || found.is_array() => Ok(()),
        "" => Err(format!("is {found}")),
        rest => has(found, rest),
    }
}

async fn browser(flags: &[&str]) -> (Browser, Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let always =
        ["cruddur-local", "--port", "0", "--dynamodb-port", "0", "--data-dir", folder.path().to_str().unwrap()];
    let running =
        Running::start(&Options::parse_from(always.iter().chain(flags)), Clock::system(), None).await.unwrap();
    (Browser { api: running.api(), kept: Vec::new() }, running, folder)
}

#[tokio::test]
async fn every_page_of_the_client_of_the_first_weeks_finds_what_it_reads() {
    let (mut browser, running, _folder) = browser(&["--compat", "week2"]).await;
    let home = || call("home", "GET", "/api/activities/home").reads(POST).reads(COUNTS);
    let groups = || call("messages", "GET", "/api/message_groups");
    let direct = || call("messages with bayko", "GET", "/api/messages/@bayko");
    for call in [
        // The reply that is sent is added to the list of the post's replies, which each post must have.
        home().reads(&["[].replies"]),
        call("user", "GET", "/api/activities/@andrewbrown").reads(POST),
        call("the form for posts", "POST", "/api/activities")
            .with(&[ACCEPT, JSON])
            .sends(json!({ "message": "A crud", "ttl": "7-days" }))
            .reads(MADE)
            .keeps("post", "/uuid"),
        call("the form for replies", "POST", "/api/activities/{post}/reply")
            .with(&[ACCEPT, JSON])
            .sends(json!({ "message": "A reply" }))
            .reads(&["uuid", "handle", "display_name", "message", "created_at"]),
        groups(),
        direct(),
        call("the form for messages", "POST", "/api/messages")
            .with(&[ACCEPT, JSON])
            .sends(json!({ "message": "Hello", "user_receiver_handle": "bayko" }))
            .reads(SENT),
        groups().reads(GROUPS),
        direct().reads(GROUPS),
    ] {
        browser.make(call).await;
    }
    // As shown below the post when the page is loaded again.
    let url = format!("http://{}/api/activities/home", browser.api);
    let (_, _, rows) = browser.send(Request::get(url).body(Body::empty()).unwrap()).await;
    assert_eq!((&rows[0]["message"], &rows[0]["replies"][0]["message"]), (&json!("A crud"), &json!("A reply")));
    for field in MADE.iter().filter(|field| **field != "expires_at") {
        has(&rows[0]["replies"][0], field).unwrap();
    }
    // Somebody else writes to the user as whom the page is: what it shows under notifications has the same fields.
    running.settled().await;
    let call = call("notifications", "GET", "/api/activities/notifications");
    browser.make(call.reads(&["[].uuid", "[].handle", "[].display_name", "[].message", "[].created_at"])).await;
    running.stop().await;
}

#[tokio::test]
async fn every_page_of_the_last_weeks_client_finds_what_it_reads() {
    const TOKEN: (&str, &str) = ("authorization", "Bearer {token}");
    // It sends the type of a body with every request, and this token when nobody is signed in.
    const NOBODY: &[(&str, &str)] = &[JSON, ("authorization", "Bearer null")];
    const SIGNED_IN: &[(&str, &str)] = &[JSON, TOKEN];
    let (mut browser, running, _folder) = browser(&[]).await;
    // Its pages sign in at Cognito.
    let token = running.issuer().access_token("demo-worf", Clock::system().now()).unwrap();
    browser.kept.push(("token", token));
    let groups = || call("messages", "GET", "/api/message_groups").with(SIGNED_IN);
    for call in [
        call("home, signed out", "GET", "/api/activities/home").with(NOBODY).reads(POST).reads(COUNTS),
        call("home", "GET", "/api/activities/home").with(SIGNED_IN).reads(POST).reads(COUNTS),
        call("the form for posts", "POST", "/api/activities")
            .with(SIGNED_IN)
            .sends(json!({ "message": "A crud for @worf", "ttl": "30-days" }))
            .reads(MADE)
            .keeps("post", "/uuid"),
        call("the form for replies", "POST", "/api/activities/{post}/reply")
            .with(SIGNED_IN)
            .sends(json!({ "activity_uuid": "{post}", "message": "A reply" }))
            .reads(MADE),
        call("user", "GET", "/api/activities/@worf").with(&[JSON]).reads(&[
            "profile.handle",
            "profile.display_name",
            "profile.bio",
            "profile.cruds_count",
            "activities.[].uuid",
            "activities.[].handle",
            "activities.[].display_name",
            "activities.[].message",
            "activities.[].created_at",
            "activities.[].expires_at",
        ]),
        call("a post", "GET", "/api/activities/@worf/status/{post}").with(&[JSON]).reads(&[
            "activity.uuid",
            "activity.handle",
            "activity.display_name",
            "activity.message",
            "activity.created_at",
            "activity.expires_at",
            "activity.replies_count",
            "activity.reposts_count",
            "activity.likes_count",
            "replies.[].uuid",
            "replies.[].handle",
            "replies.[].display_name",
            "replies.[].message",
            "replies.[].created_at",
            "replies.[].replies_count",
        ]),
        call("the form for the profile", "PUT", "/api/profile/update")
            .with(SIGNED_IN)
            .sends(json!({ "bio": "Warrior", "display_name": "Worf, son of Mogh" })),
        groups(),
        call("a new conversation", "GET", "/api/users/@bayko/short").with(SIGNED_IN).reads(&[
            "uuid",
            "handle",
            "display_name",
        ]),
        // The page then goes to that conversation.
        call("the form of a new conversation", "POST", "/api/messages")
            .with(&[ACCEPT])
            .with(SIGNED_IN)
            .sends(json!({ "message": "Hello", "handle": "bayko" }))
            .keeps("group", "/message_group_uuid"),
        groups().reads(GROUPS),
        call("a conversation", "GET", "/api/messages/{group}").with(SIGNED_IN).reads(GROUPS),
        call("the form of a conversation", "POST", "/api/messages")
            .with(&[ACCEPT])
            .with(SIGNED_IN)
            .sends(json!({ "message": "Again", "message_group_uuid": "{group}" }))
            .reads(SENT),
        call("notifications", "GET", "/api/activities/notifications").with(SIGNED_IN),
    ] {
        browser.make(call).await;
    }
    running.stop().await;
}
