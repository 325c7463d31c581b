//! The story that each route's trace tells, and each record's of the stream, beside the trees in `tests/traces`.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cruddur::api::{AppState, Compat, Identity, ROUTES};
use cruddur::clock::Clock;
use cruddur::signup;
use cruddur::stream::{self, Consumer, StreamEvent};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{
    ANDREW, Answer, ORIGIN, Queue, TABLE, TRACEPARENT, TestApp, Tracing, assert_snapshot, consume, hours, numbered,
    request, signed_in, user, worf,
};

const WORF: &str = "demo-worf";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces");
const POST: &str = "01a202e9-b47a-7000-8000-000000000001";
const NOBODYS_POST: &str = "01a202e9-b47a-7000-8000-0000000000ff";

/// A request whose trace is drawn: the route as in the router's table, the rest of its title, and who asks.
struct Ask<'a> {
    route: &'a str,
    what: &'a str,
    sub: Option<&'a str>,
    path: String,
    body: &'a str,
    key: Option<&'a str>,
}

/// `route` is `GET /api/…`; its parameters are filled with what there is in most of the worlds.
fn ask<'a>(route: &'a str, what: &'a str) -> Ask<'a> {
    let (_, path) = route.split_once(' ').unwrap();
    let path = path.replace("{activity_uuid}", POST).replace("{handle}", "andrewbrown");
    Ask { route, what, sub: None, path, body: "", key: None }
}

impl<'a> Ask<'a> {
    fn by(self, sub: &'a str) -> Self {
        Self { sub: Some(sub), ..self }
    }

    fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    fn query(mut self, query: &str) -> Self {
        self.path.push_str(query);
        self
    }

    fn body(self, body: &'a str) -> Self {
        Self { body, ..self }
    }

    fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    async fn of(self, app: &TestApp, tracing: &mut Tracing) -> Answer {
        let (method, _) = self.route.split_once(' ').unwrap();
        let mut request = request(method, &self.path).header("content-type", "application/json");
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        let mut request = request.body(Body::from(self.body.to_owned())).unwrap();
        if let Some(sub) = self.sub {
            request = signed_in(request, sub);
        }
        let title = if self.what.is_empty() { self.route.to_owned() } else { format!("{}, {}", self.route, self.what) };
        tracing.request(&title, app.router(), request).await
    }
}

/// Andrew's post with the id [`POST`], an hour old.
async fn with_a_post() -> TestApp {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "Who likes pineapple?", "1-day").await;
    app
}

#[tokio::test]
async fn the_traces_of_posts_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = with_a_post().await;
    ask("GET /api/activities/home", "one post").of(&app, &mut tracing).await;
    for number in 2..=21 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    ask("GET /api/activities/home", "a full page").of(&app, &mut tracing).await;
    ask("GET /api/activities/home", "signed in").by(WORF).of(&app, &mut tracing).await;
    ask("GET /api/activities/home", "a limit that is none").query("?limit=0").of(&app, &mut tracing).await;
    ask("GET /api/activities/home", "a foreign cursor").query("?cursor=x").of(&app, &mut tracing).await;

    let app = with_a_post().await;
    app.replied(app.state.store.home(app.now(), 1, None).await.unwrap().rows[0].id, hours(0), 2, "y").await;
    let show = "GET /api/activities/{activity_uuid}";
    ask(show, "").of(&app, &mut tracing).await;
    ask(show, "not there").at(format!("/api/activities/{NOBODYS_POST}")).of(&app, &mut tracing).await;
    ask("GET /api/activities/@{handle}/status/{activity_uuid}", "").of(&app, &mut tracing).await;

    let create = "POST /api/activities";
    let body = r#"{"message": "x", "ttl": "3-hours"}"#;
    ask(create, "").by(ANDREW).body(body).of(&app, &mut tracing).await;
    ask(create, "with a key").by(ANDREW).body(body).key("k").of(&app, &mut tracing).await;
    ask(create, "with the key again").by(ANDREW).body(body).key("k").of(&app, &mut tracing).await;
    let other = r#"{"message": "y", "ttl": "3-hours"}"#;
    ask(create, "with the key for another body").by(ANDREW).body(other).key("k").of(&app, &mut tracing).await;
    ask(create, "two broken rules").by(ANDREW).body("{}").of(&app, &mut tracing).await;
    ask(create, "anonymous").body(body).of(&app, &mut tracing).await;
    ask(create, "without a profile").by("demo-nobody").body(body).of(&app, &mut tracing).await;
    ask(create, "a body that is none").by(ANDREW).body("{").of(&app, &mut tracing).await;

    let delete = "DELETE /api/activities/{activity_uuid}";
    ask(delete, "another's").by(WORF).of(&app, &mut tracing).await;
    ask(delete, "").by(ANDREW).of(&app, &mut tracing).await;
    assert_snapshot("traces/activities.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_searches_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let mut app = with_a_post().await;
    app.settle().await;
    let search = "GET /api/activities/search";
    ask(search, "").query("?term=who%20likes").of(&app, &mut tracing).await;
    ask(search, "signed in, nothing found").query("?term=apple").by(WORF).of(&app, &mut tracing).await;
    ask(search, "no term").of(&app, &mut tracing).await;
    assert_snapshot("traces/search.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_replies_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = with_a_post().await;
    let reply = "POST /api/activities/{activity_uuid}/reply";
    let body = r#"{"message": "y"}"#;
    let made = ask(reply, "").by(WORF).body(body).of(&app, &mut tracing).await;
    let to_reply = format!("/api/activities/{}/reply", made.body["uuid"].as_str().unwrap());
    ask(reply, "to a reply").at(to_reply).by(ANDREW).body(body).of(&app, &mut tracing).await;
    ask(reply, "with a key").by(WORF).body(body).key("k").of(&app, &mut tracing).await;
    ask(reply, "with the key again").by(WORF).body(body).key("k").of(&app, &mut tracing).await;
    ask(reply, "blank").by(WORF).body("{}").of(&app, &mut tracing).await;
    let gone = format!("/api/activities/{NOBODYS_POST}/reply");
    ask(reply, "to what is not there").at(gone).by(WORF).body(body).of(&app, &mut tracing).await;
    let reply = made.body["uuid"].as_str().unwrap();
    let delete = "DELETE /api/activities/{activity_uuid}";
    ask(delete, "a reply").at(format!("/api/activities/{reply}")).by(WORF).of(&app, &mut tracing).await;
    assert_snapshot("traces/replies.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_likes_and_reposts_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = with_a_post().await;
    for route in [
        "PUT /api/activities/{activity_uuid}/like",
        "PUT /api/activities/{activity_uuid}/repost",
        "DELETE /api/activities/{activity_uuid}/repost",
    ] {
        ask(route, "").by(WORF).of(&app, &mut tracing).await;
    }
    ask("PUT /api/activities/{activity_uuid}/like", "again").by(WORF).of(&app, &mut tracing).await;
    ask("DELETE /api/activities/{activity_uuid}/like", "").by(WORF).of(&app, &mut tracing).await;
    let gone = format!("/api/activities/{NOBODYS_POST}/like");
    ask("PUT /api/activities/{activity_uuid}/like", "not there").at(gone).by(WORF).of(&app, &mut tracing).await;
    assert_snapshot("traces/reactions.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_users_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = with_a_post().await;
    let feed = "GET /api/activities/@{handle}";
    ask(feed, "").of(&app, &mut tracing).await;
    ask(feed, "the sign escaped").at("/api/activities/%40andrewbrown").of(&app, &mut tracing).await;
    ask(feed, "nobody").at("/api/activities/@nobody").of(&app, &mut tracing).await;
    ask("GET /api/users/@{handle}/short", "").of(&app, &mut tracing).await;
    ask("GET /api/users/@{handle}/short", "nobody").at("/api/users/@nobody/short").of(&app, &mut tracing).await;
    let body = r#"{"display_name": "Andy", "bio": ""}"#;
    let update = "PUT /api/profile/update";
    ask(update, "").by(ANDREW).body(body).of(&app, &mut tracing).await;
    ask(update, "with a key").by(ANDREW).body(body).key("k").of(&app, &mut tracing).await;
    ask(update, "with the key again").by(ANDREW).body(body).key("k").of(&app, &mut tracing).await;
    ask(update, "blank").by(ANDREW).body("{}").of(&app, &mut tracing).await;
    ask("POST /api/profile/update", "").by(ANDREW).body(body).of(&app, &mut tracing).await;
    let plays = Identity::fixed(ANDREW.to_owned());
    let week2 = AppState { identity: plays, compat: Compat::Week2, ..app.state.clone() };
    let mut early = TestApp::on(app.client.clone());
    early.state = week2;
    ask(feed, "as the early client has it").of(&early, &mut tracing).await;
    assert_snapshot("traces/users.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_messages_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = TestApp::new().await;
    let create = "POST /api/messages";
    let to_worf = r#"{"message": "x", "handle": "worf"}"#;
    let opened = ask(create, "the first to a user").by(ANDREW).body(to_worf).of(&app, &mut tracing).await;
    let group = opened.body["message_group_uuid"].as_str().unwrap().to_owned();
    ask(create, "another to the user").by(ANDREW).body(to_worf).of(&app, &mut tracing).await;
    let to_group = json!({ "message": "y", "message_group_uuid": group }).to_string();
    ask(create, "to a conversation").by(WORF).body(&to_group).of(&app, &mut tracing).await;
    ask(create, "with a key").by(WORF).body(&to_group).key("k").of(&app, &mut tracing).await;
    ask(create, "with the key again").by(WORF).body(&to_group).key("k").of(&app, &mut tracing).await;
    ask(create, "blank, to nobody").by(ANDREW).body("{}").of(&app, &mut tracing).await;
    ask(create, "to oneself").by(WORF).body(to_worf).of(&app, &mut tracing).await;
    ask("GET /api/message_groups", "").by(WORF).of(&app, &mut tracing).await;
    let list = "GET /api/messages/{message_group_uuid}";
    ask(list, "").at(format!("/api/messages/{group}")).by(WORF).of(&app, &mut tracing).await;
    ask(list, "by the handle").at("/api/messages/@andrewbrown").by(WORF).of(&app, &mut tracing).await;
    app.state.store.create_profile(&user(3, "demo-bayko", "bayko", "Andrew Bayko")).await.unwrap();
    let other = format!("/api/messages/{group}");
    ask(list, "another's").at(other).by("demo-bayko").of(&app, &mut tracing).await;
    assert_snapshot("traces/messages.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_notifications_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "Hello @worf", "1-day").await;
    app.settle().await;
    ask("GET /api/activities/notifications", "").by(WORF).of(&app, &mut tracing).await;
    ask("PUT /api/activities/notifications", "").by(WORF).of(&app, &mut tracing).await;
    ask("GET /api/activities/notifications", "none").by(ANDREW).of(&app, &mut tracing).await;
    assert_snapshot("traces/notifications.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_the_rest_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = TestApp::new().await;
    ask("GET /api/openapi.json", "").of(&app, &mut tracing).await;
    ask("GET /api/health-check", "").of(&app, &mut tracing).await;
    ask("GET /api/health-check", "deep").query("?deep").of(&app, &mut tracing).await;
    let mut app = app;
    app.state.clock = Clock::new(|| panic!("on purpose"), |at| numbered(at, 0));
    ask("GET /api/health-check", "a panic").of(&app, &mut tracing).await;
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    ask("GET /api/users/@{handle}/short", "a table that is not there").of(&app, &mut tracing).await;
    for (title, method, path) in [
        ("a route that is none", "GET", "/api/nothing-here"),
        ("a method that is none", "PATCH", "/api/activities/home"),
        ("a preflight", "OPTIONS", "/api/activities"),
    ] {
        let request = request(method, path).header("origin", ORIGIN);
        let request = request.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
        tracing.request(title, app.router(), request).await;
    }
    assert_snapshot("traces/other.txt", tracing.drawn());
}

/// Draws what follows from the records since the last time, one batch for each.
async fn follow(app: &mut TestApp, tracing: &mut Tracing, what: &str) {
    for record in app.next_records() {
        if stream::has_side_effects(&record) {
            let store = app.state.store.clone();
            let failures = tracing.work(what, "process cruddur", consume(&store, &[record])).await;
            assert_eq!(failures, stream::BatchResponse::default(), "{what}");
        }
    }
}

#[tokio::test]
async fn the_traces_of_the_streams_records_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let mut app = TestApp::new().await;
    app.settle().await;
    let post = app.posted(hours(1), 1, "Hello @worf", "1-day").await;
    follow(&mut app, &mut tracing, "a post with a mention").await;
    app.reply(&post, ANDREW, numbered(app.now(), 2), &worf(), "y").await;
    follow(&mut app, &mut tracing, "a reply, linked to the request that wrote it").await;
    app.like(&post, ANDREW, &worf(), app.now()).await;
    follow(&mut app, &mut tracing, "a like").await;
    app.unlike(post.id, &worf()).await;
    follow(&mut app, &mut tracing, "a like taken back").await;
    app.post_as(ANDREW, "/api/messages", &json!({ "message": "x", "handle": "worf" })).await;
    follow(&mut app, &mut tracing, "a first message: the conversation, or the message").await;
    app.pass(SignedDuration::from_secs(1));
    app.rename(&worf(), "Worf, son of Mogh").await;
    follow(&mut app, &mut tracing, "a new name").await;
    app.ask_as(ANDREW, "DELETE", &format!("/api/activities/{}", post.id)).await;
    follow(&mut app, &mut tracing, "a deleted post, and then what belonged to it").await;

    let mut bad = app.records().pop().unwrap();
    let image = json!({ "trace_context": { "S": TRACEPARENT } });
    bad["dynamodb"] = json!({ "SequenceNumber": "1", "Keys": {}, "OldImage": image, "NewImage": image });
    let queue = Queue::start(200).await;
    let consumer = Consumer { store: app.state.store.clone(), dead_letters: queue.letters() };
    let batch = StreamEvent { records: vec![bad] };
    let consume = consumer.consume(&batch, Duration::from_secs(60));
    tracing.work("a record that cannot be understood", "process cruddur", consume).await;
    assert_snapshot("traces/stream.txt", tracing.drawn());
}

#[tokio::test]
async fn the_traces_of_sign_ups_tell_their_story() {
    let mut tracing = Tracing::start().await;
    let app = TestApp::new().await;
    let read = |file: &str| -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events/signup");
        serde_json::from_str(&fs::read_to_string(format!("{folder}/{file}")).unwrap()).unwrap()
    };
    let state = Arc::new(app.state.clone());
    let confirm = |event: Value| {
        let state = state.clone();
        async move {
            let confirmed = signup::confirm(&state.store, &state.clock, event, Duration::from_secs(60)).await;
            confirmed.map_err(|error| error.to_string())
        }
    };
    let mut taken = read("confirm.json");
    taken["request"]["userAttributes"]["preferred_username"] = json!("worf");
    taken["request"]["userAttributes"]["sub"] = json!("another");
    for (title, event) in [
        ("PostConfirmation, a new user", read("confirm.json")),
        ("PostConfirmation, the user again", read("confirm.json")),
        ("PostConfirmation, a handle that is taken", taken),
        ("PostAuthentication, a user with a profile", read("confirm.json")),
    ] {
        let mut event = event;
        if title.starts_with("PostAuthentication") {
            event["triggerSource"] = json!("PostAuthentication_Authentication");
        }
        tracing.work(title, "signup", confirm(event)).await.unwrap();
    }
    assert_snapshot("traces/signup.txt", tracing.drawn());
}

/// The titles of all trees.
fn titles() -> Vec<String> {
    let files = fs::read_dir(FOLDER).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    files
        .flat_map(|text| {
            text.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_route_has_an_expected_trace() {
    let titles = titles();
    let drawn: BTreeSet<&str> = titles.iter().filter_map(|title| title.split([',', ':']).next()).collect();
    for route in &ROUTES {
        let route = format!("{} {}", route.method, route.path);
        assert!(drawn.contains(route.as_str()), "{route} has no tree in tests/traces");
    }
}

#[test]
fn every_kind_of_stream_record_has_an_expected_trace() {
    let source = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/records.rs")).unwrap();
    let names = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.strip_suffix("\","));
    let drawn = fs::read_to_string(format!("{FOLDER}/stream.txt")).unwrap();
    let mut found = 0;
    for name in names.filter(|name| *name != "other") {
        found += 1;
        assert!(drawn.contains(&format!("  {name} [internal]")), "{name} has no tree");
    }
    assert_eq!(found, 7);
}

#[test]
fn every_span_that_the_code_names_is_in_an_expected_trace() {
    let drawn: String =
        fs::read_dir(FOLDER).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let mut found = 0;
    for file in crate::tidy::rust_files(concat!(env!("CARGO_MANIFEST_DIR"), "/src").as_ref()) {
        let source = fs::read_to_string(file).unwrap();
        for rest in source.split("info_span!(").skip(1) {
            let Some(name) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            // The records' spans are called by what happened; the key set is read over HTTP, in the init phase.
            if name != "stream-record" && name != "GET" {
                found += 1;
                assert!(drawn.contains(&format!("  {name} [internal]")), "the span {name} is in no tree");
            }
        }
    }
    assert!(found > 25, "{found} names were found");
}
