//! The requests of the original's two web clients, page by page, and the fields that each page reads from the responses.
//!
//! Requests are sent as a browser sends them for a page of another origin, with preflights.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::local_server::LocalServer;
use cruddur_local::options::Options;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The origin of the clients' development server.
const ORIGIN: &str = "http://localhost:3000";
const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json");

/// Paths of fields. `[]` means every element of a non-empty list.
const POST: &[&str] = &["[].uuid", "[].handle", "[].display_name", "[].message", "[].created_at", "[].expires_at"];
const COUNTS: &[&str] = &["[].replies_count", "[].reposts_count", "[].likes_count"];
const CREATED: &[&str] = &["uuid", "handle", "display_name", "message", "created_at", "expires_at"];
const GROUPS: &[&str] = &["[].uuid", "[].handle", "[].display_name", "[].message", "[].created_at"];
const SENT: &[&str] = &["uuid", "handle", "display_name", "message", "created_at"];

/// A page's request. `{…}` in its path, headers and body is replaced with a value from an earlier response.
struct Call {
    page: &'static str,
    request: (&'static str, &'static str),
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Value>,
    reads: Vec<&'static [&'static str]>,
    /// The name and JSON pointer of the response field that later requests use.
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

/// A browser with an open page.
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

    async fn perform(&mut self, call: Call) {
        let Call { page, request: (method, path), headers, body, reads, keep } = call;
        let context = format!("{page}: {method} {path}");
        let url = format!("http://{}{}", self.api, self.filled(path));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, self.filled(value))).collect();

        // Browsers send a preflight for every request that is not a simple one.
        let mut custom: Vec<_> = headers.iter().map(|(name, _)| *name).filter(|name| *name != ACCEPT.0).collect();
        custom.sort_unstable();
        if !custom.is_empty() || !["GET", "POST"].contains(&method) {
            let preflight =
                Request::options(&url).header("origin", ORIGIN).header("access-control-request-method", method);
            let preflight = preflight.header("access-control-request-headers", custom.join(","));
            let (status, answer, _) = self.send(preflight.body(Body::empty()).unwrap()).await;
            assert!((200..300).contains(&status), "{context}: {status}");
            let allowed = |name: &str| answer.get(name).unwrap().to_str().unwrap().to_lowercase();
            assert_eq!(allowed("access-control-allow-origin"), ORIGIN, "{context}");
            let methods = allowed("access-control-allow-methods");
            assert!(
                methods.split(',').any(|allowed| allowed.trim().eq_ignore_ascii_case(method)),
                "{context}: {methods}"
            );
            let names = allowed("access-control-allow-headers");
            for name in custom {
                assert!(names.split(',').any(|allowed| allowed.trim() == name), "{context}: {names}");
            }
        }

        let mut request = Request::builder().method(method).uri(&url).header("origin", ORIGIN);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = body.map(|body| self.filled(&body.to_string()));
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let (status, answer, body) = self.send(request).await;
        assert_eq!(status, 200, "{context}: {body}");
        assert_eq!(answer.get("access-control-allow-origin").unwrap(), ORIGIN, "{context}");
        for field in reads.into_iter().flatten() {
            check_field(&body, field).unwrap_or_else(|error| unreachable!("{context}: `{field}` {error}, of {body}"));
        }
        if let Some((name, at)) = keep {
            self.kept.push((name, body.pointer(at).and_then(Value::as_str).unwrap().to_owned()));
        }
    }
}

/// Checks that the field is a string, a number or a list.
fn check_field(value: &Value, path: &str) -> Result<(), String> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if first == "[]" {
        let rows = value.as_array().filter(|rows| !rows.is_empty()).ok_or("is not in a non-empty list")?;
        return rows.iter().try_for_each(|row| check_field(row, rest));
    }
    let found = value.get(first).ok_or_else(|| format!("is missing at `{first}`"))?;
    match rest {
        "" if found.is_string() || found.is_number() || found.is_array() => Ok(()),
        "" => Err(format!("is {found}")),
        rest => check_field(found, rest),
    }
}

async fn browser(flags: &[&str]) -> (Browser, LocalServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let defaults =
        ["cruddur-local", "--port", "0", "--dynamodb-port", "0", "--data-dir", folder.path().to_str().unwrap()];
    let running = LocalServer::start(&Options::parse_from(defaults.iter().chain(flags)), Clock::system(), None, None)
        .await
        .unwrap();
    (Browser { api: running.api(), kept: Vec::new() }, running, folder)
}

#[tokio::test]
async fn week2_client_pages_find_their_fields() {
    let (mut browser, running, _folder) = browser(&["--compat", "week2"]).await;
    let home = || call("home", "GET", "/api/activities/home").reads(POST).reads(COUNTS);
    let groups = || call("messages", "GET", "/api/message_groups");
    let direct = || call("messages with bayko", "GET", "/api/messages/@bayko");
    for call in [
        // The client appends a new reply to the post's `replies`, so every post needs that list.
        home().reads(&["[].replies"]),
        call("user", "GET", "/api/activities/@andrewbrown").reads(POST),
        call("the form for posts", "POST", "/api/activities")
            .with(&[ACCEPT, JSON])
            .sends(json!({ "message": "A crud", "ttl": "7-days" }))
            .reads(CREATED)
            // The client appends replies to the new post too.
            .reads(&["replies"])
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
        browser.perform(call).await;
    }
    // Reloading the page shows the reply below its post.
    let url = format!("http://{}/api/activities/home", browser.api);
    let (_, _, rows) = browser.send(Request::get(url).body(Body::empty()).unwrap()).await;
    assert_eq!((&rows[0]["message"], &rows[0]["replies"][0]["message"]), (&json!("A crud"), &json!("A reply")));
    for field in CREATED.iter().filter(|field| **field != "expires_at") {
        check_field(&rows[0]["replies"][0], field).unwrap();
    }
    // The notifications of the user have the same fields.
    running.wait_until_idle().await;
    let call = call("notifications", "GET", "/api/activities/notifications");
    browser.perform(call.reads(&["[].uuid", "[].handle", "[].display_name", "[].message", "[].created_at"])).await;
    running.stop().await;
}

#[tokio::test]
async fn final_client_shows_errors_from_an_array() {
    let (browser, running, _folder) = browser(&[]).await;
    let post = |path: &str, token: &str, body: Value| {
        let request = Request::post(format!("http://{}{path}", browser.api)).header("origin", ORIGIN);
        let request = request.header(JSON.0, JSON.1).header("accept", "*/*").header("authorization", token);
        request.body(Body::from(body.to_string())).unwrap()
    };
    let token = format!("Bearer {}", running.issuer().access_token("demo-worf", Clock::system().now()).unwrap());
    let new = json!({ "message": "A crud", "ttl": "7-days" });
    for (path, token, body, status, shown) in [
        ("/api/activities", "Bearer null", new, 401, json!(["generic_401"])),
        ("/api/activities", &*token, json!({ "message": " ", "ttl": "1-day" }), 422, json!(["message_blank"])),
        ("/api/messages", &*token, json!({ "message": "x", "handle": "q" }), 404, json!(["The user does not exist."])),
        ("/api/profile/update", &*token, json!({ "display_name": "" }), 422, json!(["display_name_blank"])),
    ] {
        let (found, headers, answer) = browser.send(post(path, token, body)).await;
        assert_eq!((found, &answer), (status, &shown), "{path}");
        assert_eq!(headers.get("access-control-allow-origin").unwrap(), ORIGIN, "{path}");
    }
    running.stop().await;
}

#[tokio::test]
async fn web_page_of_an_allowed_origin_signs_in() {
    const UNTRACED: &[(&str, &str)] = &[];
    // Tracing libraries of browsers add headers to each `fetch`.
    const TRACED: &[(&str, &str)] = &[
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "a=b"),
        ("x-datadog-trace-id", "1"),
    ];
    let (mut browser, running, _folder) = browser(&[]).await;
    for (handle, headers) in [("andrewbrown", UNTRACED), ("Worf", TRACED)] {
        let call = call("sign-in", "POST", "/local/sign-in").with(&[JSON]).with(headers);
        let call = call.sends(json!({ "handle": handle }));
        browser.perform(call.reads(&["access_token", "expires_in"])).await;
    }
    let url = format!("http://{}/local/sign-in", browser.api);
    let foreign = Request::options(&url).header("origin", "http://evil.example");
    let foreign = foreign.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
    let (_, headers, _) = browser.send(foreign).await;
    assert!(headers.get("access-control-allow-origin").is_none());
    for (body, detail) in [
        (json!(["worf"]), "Invalid body: it must be an object, not an array."),
        (json!("worf"), "Invalid body: it must be an object, not a string."),
        (json!({ "handle": 5 }), "Invalid body: `handle` must be a string, not a number."),
        (json!({ "handle": ["worf"] }), "Invalid body: `handle` must be a string, not an array."),
    ] {
        let request = Request::post(&url).header(JSON.0, JSON.1).body(Body::from(body.to_string())).unwrap();
        let (status, _, answer) = browser.send(request).await;
        assert_eq!((status, &answer["detail"]), (422, &json!(detail)), "{body}");
    }
    running.stop().await;
}

#[tokio::test]
async fn final_client_pages_find_their_fields() {
    const TOKEN: (&str, &str) = ("authorization", "Bearer {token}");
    // The client sends Content-Type with every request, and this token while signed out.
    const SIGNED_OUT: &[(&str, &str)] = &[JSON, ("authorization", "Bearer null")];
    const SIGNED_IN: &[(&str, &str)] = &[JSON, TOKEN];
    let (mut browser, running, _folder) = browser(&[]).await;
    // The client signs in with Cognito, so the test creates the token.
    let token = running.issuer().access_token("demo-worf", Clock::system().now()).unwrap();
    browser.kept.push(("token", token));
    let groups = || call("messages", "GET", "/api/message_groups").with(SIGNED_IN);
    for call in [
        call("home, signed out", "GET", "/api/activities/home").with(SIGNED_OUT).reads(POST).reads(COUNTS),
        call("home", "GET", "/api/activities/home").with(SIGNED_IN).reads(POST).reads(COUNTS),
        call("the form for posts", "POST", "/api/activities")
            .with(SIGNED_IN)
            .sends(json!({ "message": "A crud for @worf", "ttl": "30-days" }))
            .reads(CREATED)
            .keeps("post", "/uuid"),
        call("the form for replies", "POST", "/api/activities/{post}/reply")
            .with(SIGNED_IN)
            .sends(json!({ "activity_uuid": "{post}", "message": "A reply" }))
            .reads(CREATED),
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
            "activities.[].replies_count",
            "activities.[].reposts_count",
            "activities.[].likes_count",
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
        // The client opens the new conversation after this request.
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
        browser.perform(call).await;
    }
    running.stop().await;
}
