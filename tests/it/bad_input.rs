//! Invalid requests get a clear 4xx on every route, never a 5xx.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use cruddur::api::{Access, ROUTES, Route};
use cruddur_local::http_server::HttpServer;
use cruddur_local::listen;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{ANDREW, Answer, ORIGIN, TestApp, hours, request, token, user};

/// The route that accepts spans of web pages, which `browser_spans.rs` tests.
const SPANS: &str = "/v1/traces";

/// A system in which everything in the paths exists and every list has two rows.
struct World {
    app: TestApp,
    bearer: HeaderValue,
    activity: String,
    group: String,
}

impl World {
    async fn new() -> Self {
        let mut app = TestApp::new().await;
        let activity = app.posted(hours(1), 1, "a word", "1-day").await.id;
        app.posted(hours(1), 2, "a word more", "1-day").await;
        for number in [3, 4] {
            app.replied(activity, hours(0), number, "reply").await;
        }
        app.state.store.create_profile(&user(3, "demo-bayko", "bayko", "Andrew Bayko")).await.unwrap();
        let mut group = String::new();
        for (handle, message) in [("bayko", "first"), ("worf", "second"), ("worf", "third")] {
            let sent = app.post_as(ANDREW, "/api/messages", &json!({ "message": message, "handle": handle })).await;
            group = sent.body["message_group_uuid"].as_str().unwrap().to_owned();
        }
        app.settle().await;
        let bearer = HeaderValue::try_from(format!("Bearer {}", token(ANDREW))).unwrap();
        Self { app, bearer, activity: activity.to_string(), group }
    }

    fn path(&self, route: &Route) -> String {
        let path = route.path.replace("{activity_uuid}", &self.activity).replace("{handle}", "andrewbrown");
        path.replace("{message_group_uuid}", &self.group)
    }

    /// A request that succeeds.
    fn good(&self, route: &Route) -> Request<Body> {
        let query = if route.path.ends_with("/search") { "?term=word" } else { "" };
        self.with(route, &format!("{}{query}", self.path(route)), good_body(route).map(|body| body.to_string()))
    }

    fn with(&self, route: &Route, uri: &str, body: Option<impl Into<Body>>) -> Request<Body> {
        let mut request = request(route.method, uri);
        if route.access == Access::SignedIn {
            request = request.header("authorization", &self.bearer);
        }
        if route.path == SPANS {
            request = request.header("origin", ORIGIN).header("accept", "application/problem+json");
        }
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.into()).unwrap(),
            None => request.body(Body::empty()).unwrap(),
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        self.app.send(request).await
    }
}

fn good_body(route: &Route) -> Option<Value> {
    match (route.method, route.path) {
        ("POST", "/api/activities") => Some(json!({ "message": "x", "ttl": "1-day" })),
        ("POST", "/api/activities/{activity_uuid}/reply") => Some(json!({ "message": "x" })),
        ("POST", "/api/messages") => Some(json!({ "message": "x", "handle": "worf" })),
        (_, "/api/profile/update") => Some(json!({ "display_name": "x", "bio": "" })),
        (_, SPANS) => Some(json!({ "resourceSpans": [] })),
        _ => None,
    }
}

/// The routes that accept a body with texts, each with the name of its text field.
fn with_bodies() -> Vec<(&'static Route, &'static str)> {
    let routes = ROUTES.iter().filter(|route| route.path != SPANS);
    let routes = routes.filter_map(|route| Some((route, good_body(route)?)));
    routes.map(|(route, body)| (route, if body["message"] == "x" { "message" } else { "display_name" })).collect()
}

/// The paginated routes, and the query that they require.
fn lists() -> Vec<(&'static Route, &'static str)> {
    let is_list = |route: &&Route| {
        let (path, get) = (route.path, route.method == "GET");
        let page = ["/home", "/notifications", "/search", "/@{handle}", "/{activity_uuid}", "/message_groups"];
        get && (page.iter().any(|end| path.ends_with(end)) || path.starts_with("/api/messages/"))
    };
    let term = |route: &Route| if route.path.ends_with("/search") { "term=word&" } else { "" };
    ROUTES.iter().filter(is_list).map(|route| (route, term(route))).collect()
}

/// Asserts that the response reports the error in the right form.
fn assert_refused(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    let (content_type, found) = (answer.header("content-type"), &answer.body);
    if status == 422 {
        assert_eq!((content_type, found), (Some("application/json"), &json!([code])), "{what}");
    } else {
        assert_eq!((content_type, &found["code"]), (Some("application/problem+json"), &json!(code)), "{what}");
        assert!(found["detail"].as_str().is_some_and(|detail| !detail.is_empty() && detail.len() < 400), "{what}");
    }
}

#[tokio::test]
async fn valid_request_succeeds_on_every_route() {
    for route in &ROUTES {
        let world = World::new().await;
        let answer = world.send(world.good(route)).await;
        assert_eq!(answer.status, 200, "{} {}: {}", route.method, route.path, answer.body);
    }
    assert_eq!((with_bodies().len(), lists().len()), (5, 8));
}

#[tokio::test]
async fn invalid_bodies_are_rejected_on_every_route() {
    let world = World::new().await;
    for (route, text) in with_bodies() {
        let field = |value: &str| format!("{{\"{text}\": {value}}}").into_bytes();
        let deep = |open: &str, close: &str| [open.repeat(9_000), close.repeat(9_000)].concat();
        let long = field(&format!("\"{}\"", "x".repeat(64 * 1024)));
        let mut broken = field("\"?\"");
        let at = broken.iter().position(|byte| *byte == b'?').unwrap();
        broken[at] = 0xff;
        let utf_16: Vec<u8> =
            String::from_utf8(field("\"x\"")).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
        let blank = if text == "message" { "message_control_chars" } else { "display_name_control_chars" };
        for (what, body, status, code) in [
            ("over 64 KB", long, 413, "body_too_large"),
            ("nothing", Vec::new(), 400, "bad_request"),
            ("no JSON", b"message=x".to_vec(), 400, "bad_request"),
            ("cut off", field("\"x\"")[..8].to_vec(), 400, "bad_request"),
            ("two values", [field("\"x\""), field("\"x\"")].concat(), 400, "bad_request"),
            ("an array", b"[\"x\"]".to_vec(), 400, "bad_request"),
            ("a text", b"\"x\"".to_vec(), 400, "bad_request"),
            ("null", b"null".to_vec(), 400, "bad_request"),
            ("an unknown field", b"{\"admin\": true}".to_vec(), 400, "bad_request"),
            ("a number", field("5"), 400, "bad_request"),
            ("a number that is too great", field("1e999999"), 400, "bad_request"),
            ("true", field("true"), 400, "bad_request"),
            ("a list", field("[\"x\"]"), 400, "bad_request"),
            ("an object", field("{\"x\": \"x\"}"), 400, "bad_request"),
            ("deep lists", field(&deep("[", "]")), 400, "bad_request"),
            ("deep objects", deep("{\"x\":", "}").into_bytes(), 400, "bad_request"),
            ("a field twice", format!("{{\"{text}\": \"x\", \"{text}\": \"y\"}}").into_bytes(), 400, "bad_request"),
            ("broken UTF-8", broken, 400, "bad_request"),
            ("half of a pair", field(r#""\ud800""#), 400, "bad_request"),
            ("a byte order mark", [b"\xef\xbb\xbf".to_vec(), field("\"x\"")].concat(), 400, "bad_request"),
            ("UTF-16", utf_16, 400, "bad_request"),
            ("a raw control character", field("\"a\u{1}b\""), 400, "bad_request"),
            ("a raw zero", field("\"a\0b\""), 400, "bad_request"),
            ("an escaped zero", with_ttl(route, text, r"a\u0000b"), 422, blank),
            ("an escaped control character", with_ttl(route, text, r"a\u001bb"), 422, blank),
            ("a control character of Latin 1", with_ttl(route, text, "a\u{85}b"), 422, blank),
        ] {
            let answer = world.send(world.with(route, &world.path(route), Some(body))).await;
            assert_refused(&answer, status, code, &format!("{} {}: {what}", route.method, route.path));
        }
    }
}

#[tokio::test]
async fn bodies_of_another_json_type_are_rejected() {
    let world = World::new().await;
    let values = [
        ("5", "a number"),
        ("-1.5e3", "a number"),
        ("true", "a boolean"),
        ("[\"x\"]", "an array"),
        ("[]", "an array"),
        ("{\"x\": \"x\"}", "an object"),
        ("{}", "an object"),
    ];
    for (route, _) in with_bodies() {
        let what = format!("{} {}", route.method, route.path);
        let good = good_body(route).unwrap();
        let fields = good.as_object().unwrap();
        // The fields of a valid body as an array, which serde accepts in place of a struct.
        let array = Value::from_iter(fields.values().cloned()).to_string();
        let root = [("null", "null"), ("\"x\"", "a string"), (&*array, "an array")].into_iter();
        for (body, found) in root.chain(values.into_iter().filter(|(_, found)| *found != "an object")) {
            let answer = world.send(world.with(route, &world.path(route), Some(body.to_owned()))).await;
            let detail = format!("Invalid body: it must be an object, not {found}.");
            assert_eq!((answer.status, &answer.body["detail"]), (400, &json!(detail)), "{what}: {body}");
        }
        for (name, (value, found)) in fields.keys().flat_map(|name| values.map(|value| (name, value))) {
            let mut wrong = good.clone();
            wrong[name] = serde_json::from_str(value).unwrap();
            let answer = world.send(world.with(route, &world.path(route), Some(wrong.to_string()))).await;
            let detail = format!("Invalid body: `{name}` must be a string, not {found}.");
            assert_eq!((answer.status, &answer.body["detail"]), (400, &json!(detail)), "{what}: {name} = {value}");
        }
    }
    assert_eq!(world.app.get("/api/users/@andrewbrown/short").await.body["display_name"], "Andrew Brown");
}

#[tokio::test]
async fn optional_fields_of_another_json_type_are_rejected() {
    let world = World::new().await;
    let reply = format!("/api/activities/{}/reply", world.activity);
    for (path, field) in [
        (&*reply, "activity_uuid"),
        ("/api/messages", "user_receiver_handle"),
        ("/api/messages", "message_group_uuid"),
        ("/api/profile/update", "bio"),
    ] {
        for (value, found) in [(json!(5), "a number"), (json!(["x"]), "an array"), (json!({}), "an object")] {
            let answer = world.app.post_as(ANDREW, path, &json!({ field: value })).await;
            let detail = format!("Invalid body: `{field}` must be a string, not {found}.");
            assert_eq!((answer.status, &answer.body["detail"]), (400, &json!(detail)), "{path}: {field}");
        }
    }
}

/// A body that is valid except for its text.
fn with_ttl(route: &Route, name: &str, text: &str) -> Vec<u8> {
    let good = good_body(route).unwrap().to_string();
    good.replace(&format!("\"{name}\":\"x\""), &format!("\"{name}\":\"{text}\"")).into_bytes()
}

#[tokio::test]
async fn invalid_content_types_are_rejected_on_every_route() {
    let world = World::new().await;
    let long = "x".repeat(100_000);
    for route in ROUTES.iter().filter(|route| good_body(route).is_some()) {
        for (what, name, values) in [
            ("no type", "content-type", vec![]),
            ("another type", "content-type", vec!["text/plain"]),
            ("a form", "content-type", vec!["application/x-www-form-urlencoded"]),
            ("two types", "content-type", vec!["application/json", "text/plain"]),
            ("a type twice", "content-type", vec!["application/json", "application/json"]),
            ("two types in one", "content-type", vec!["application/json, text/plain"]),
            ("a type that is not ASCII", "content-type", vec!["application/jsön"]),
            ("a huge type", "content-type", vec![long.as_str()]),
            ("gzip", "content-encoding", vec!["gzip"]),
            ("two encodings", "content-encoding", vec!["identity", "br"]),
            ("an encoding that is not ASCII", "content-encoding", vec!["gzíp"]),
        ] {
            let mut request = world.good(route);
            request.headers_mut().remove(name);
            for value in values {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
            let encoded = name == "content-encoding";
            let code = if encoded { "unsupported_content_encoding" } else { "unsupported_media_type" };
            let answer = world.send(request).await;
            assert_refused(&answer, 415, code, &format!("{} {}: {what}", route.method, route.path));
            assert_eq!(answer.header("accept-encoding"), encoded.then_some("identity"));
        }
        let mut plain = world.good(route);
        plain.headers_mut().insert("content-encoding", HeaderValue::from_static("identity"));
        assert_eq!(world.send(plain).await.status, 200);
    }
}

#[tokio::test]
async fn unexpected_headers_are_ignored() {
    let long = "x".repeat(100_000).into_bytes();
    for route in &ROUTES {
        let world = World::new().await;
        let mut request = world.good(route);
        for (name, value) in [
            ("accept", &b"\xff\xfe, application/\xe9"[..]),
            ("accept-encoding", b"gzip;q=\xff"),
            ("cookie", &long),
            ("forwarded", b"for=\"\xff\""),
            ("if-match", b"*"),
            ("if-none-match", b"*"),
            ("origin", b"\xff\xfe"),
            ("range", b"bytes=0-0,-1"),
            ("te", b"trailers, \xff"),
            ("traceparent", b"00-\xff"),
            ("tracestate", &long),
            ("user-agent", &long),
            ("x-amzn-trace-id", b"Root=\xff;Sampled=1"),
            ("x-forwarded-for", b"\xf0\x9f\xa6\x80"),
            ("x-http-method-override", b"DELETE"),
        ] {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        let answer = world.send(request).await;
        // Spans come from one allowed origin.
        let expected = if route.path == SPANS { 403 } else { 200 };
        assert_eq!(answer.status, expected, "{} {}: {}", route.method, route.path, answer.body);
    }
}

#[tokio::test]
async fn invalid_path_parameters_are_rejected_on_every_route() {
    let world = World::new().await;
    let long = "0".repeat(60_000);
    for route in ROUTES.iter().filter(|route| route.path.contains('{')) {
        for (what, part) in [
            ("an id that nothing has", "01a20320-a2fa-7000-8000-ffffffffffff"),
            ("an id of another version", "68f126b0-1ceb-4a33-88be-d90fa7109eee"),
            ("an id in braces", "%7B01a20320-a2fa-7000-8000-000000000001%7D"),
            ("an id that is too long", "01a20320-a2fa-7000-8000-0000000000010"),
            ("a long text", &long),
            ("a zero", "%00"),
            ("a zero at the end", "andrewbrown%00"),
            ("a line feed", "%0a"),
            ("a space", "%20"),
            ("a slash", "a%2Fb"),
            ("the folder above", "%2e%2e"),
            ("a crab", "%F0%9F%A6%80"),
            ("a percent sign", "%25"),
            ("half of an escape", "%f"),
            ("a letter with an accent", "andr%C3%A9"),
            ("a key's separator", "HOME%23x"),
            ("broken UTF-8", "%ff"),
            ("an overlong form", "%c0%af"),
            ("half of a pair", "%ed%a0%80"),
        ] {
            let variable = route.path.split(['{', '}']).nth(1).unwrap();
            let path = route.path.replacen(&format!("{{{variable}}}"), part, 1);
            let path = path.replace("{activity_uuid}", &world.activity);
            let request = world.with(route, &path, good_body(route).map(|body| body.to_string()));
            let answer = world.send(request).await;
            let broken = ["%ff", "%c0%af", "%ed%a0%80"].contains(&part);
            let (status, code) = if broken { (400, "bad_request") } else { (404, "not_found") };
            assert_refused(&answer, status, code, &format!("{} {}: {what}", route.method, route.path));
        }
    }
}

#[tokio::test]
async fn invalid_limits_are_rejected_by_every_list() {
    let world = World::new().await;
    for (route, term) in lists() {
        for limit in [
            "0",
            "-1",
            "101",
            "65536",
            "-9223372036854775809",
            "99999999999999999999999",
            "1e1",
            "1.0",
            "0x10",
            "NaN",
            "",
            "%00",
            "%ff",
            "+5",
            "5%20",
            "%D9%A3",
            "1&limit=2",
            "ten",
        ] {
            let uri = format!("{}?{term}limit={limit}", world.path(route));
            let answer = world.send(world.with(route, &uri, None::<Body>)).await;
            assert_refused(&answer, 400, "bad_request", &uri);
        }
    }
}

#[tokio::test]
async fn cursors_are_rejected_by_other_lists() {
    let world = World::new().await;
    let mut cursors = Vec::new();
    for (route, term) in lists() {
        let page = world.send(world.with(route, &format!("{}?{term}limit=1", world.path(route)), None::<Body>)).await;
        let next = page.next().unwrap_or_else(|| panic!("{} has no second page: {}", route.path, page.body));
        cursors.push((route, next.split(['=', '&']).nth(1).unwrap().to_owned()));
    }
    // Both addresses of a post list the same replies.
    let list_of =
        |route: &Route| if route.path.contains("/status/") { "/api/activities/{activity_uuid}" } else { route.path };
    for (route, term) in lists() {
        for (of, cursor) in &cursors {
            let uri = format!("{}?{term}cursor={cursor}", world.path(route));
            let answer = world.send(world.with(route, &uri, None::<Body>)).await;
            if list_of(of) == list_of(route) {
                assert_eq!(answer.status, 200, "{uri}: {}", answer.body);
            } else {
                assert_refused(&answer, 400, "bad_cursor", &uri);
            }
        }
    }
}

#[tokio::test]
async fn invalid_search_terms_are_rejected() {
    let world = World::new().await;
    for (term, status, code) in [
        ("word%ff", 400, "bad_request"),
        ("%c0%afword", 400, "bad_request"),
        ("%00", 422, "search_term_blank"),
        ("%20%0a", 422, "search_term_blank"),
        ("!%3F", 422, "search_term_blank"),
        ("", 422, "search_term_blank"),
        ("a&term=b", 400, "bad_request"),
    ] {
        let answer = world.app.get(&format!("/api/activities/search?term={term}")).await;
        assert_refused(&answer, status, code, term);
    }
    let long = "x".repeat(281);
    let answer = world.app.get(&format!("/api/activities/search?term={long}")).await;
    assert_refused(&answer, 422, "search_term_exceed_max_chars", "a long term");
}

#[tokio::test]
async fn unusual_targets_and_methods_are_rejected() {
    let world = World::new().await;
    for (method, uri, status) in [
        ("CONNECT", "cruddur.example:443", 404),
        ("OPTIONS", "*", 200),
        ("GET", "http://cruddur.example", 404),
        ("GET", "http://cruddur.example/api/health-check", 200),
        ("TRACE", "/api/activities/home", 405),
        ("PROPFIND", "/api/activities", 405),
        ("get", "/api/activities/home", 405),
        ("GET", "//api//activities//home", 404),
        ("GET", "/api/activities/../../home", 404),
        ("GET", "/%40", 404),
    ] {
        let answer = world.send(request(method, uri).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{method} {uri}: {}", answer.body);
    }
}

fn deterministic(cases: u32) -> TestRunner {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }, rng)
}

#[test]
fn ten_thousand_altered_cursors_are_rejected() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.~";
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let next = runtime.block_on(world.app.get("/api/activities/home?limit=1")).next().unwrap();
    let cursor = next.split(['=', '&']).nth(1).unwrap().as_bytes().to_vec();
    let changes = proptest::collection::vec((0..5, any::<prop::sample::Index>(), prop::sample::select(ALPHABET)), 1..4);
    let altered = changes.prop_map(|changes| {
        let mut altered = cursor.clone();
        for (change, at, with) in changes {
            let at = at.index(altered.len().max(1)).min(altered.len().saturating_sub(1));
            match change {
                0 if !altered.is_empty() => altered[at] = with,
                1 => altered.insert(at, with),
                2 => altered.truncate(at),
                3 => altered.rotate_left(at),
                _ => altered.extend_from_within(at..),
            }
        }
        altered
    });
    let altered = altered.prop_filter("it is altered", |altered| *altered != cursor);
    let outcome = deterministic(10_000).run(&altered, |altered| {
        let altered = String::from_utf8(altered).unwrap();
        let answer = runtime.block_on(world.app.get(&format!("/api/activities/home?cursor={altered}")));
        answer.assert_error(400, "bad_cursor");
        Ok(())
    });
    outcome.unwrap();
}

/// The index of a route, whether the user is signed in, a path segment, the query, the headers and the body.
type Sent = (usize, bool, Vec<u8>, Vec<u8>, Vec<(&'static str, Vec<u8>)>, Vec<u8>);

/// Random requests that resemble valid ones.
fn requests() -> impl Strategy<Value = Sent> {
    const NAMES: [&str; 9] = [
        "accept",
        "content-type",
        "content-encoding",
        "idempotency-key",
        "authorization",
        "origin",
        "traceparent",
        "x-amzn-trace-id",
        "access-control-request-method",
    ];
    let values = prop_oneof![
        any::<Vec<u8>>(),
        Just(b"application/json".to_vec()),
        Just(b"application/problem+json".to_vec()),
        Just(b"identity".to_vec()),
        Just(b"Bearer null".to_vec()),
    ];
    let header = (prop::sample::select(&NAMES[..]), values);
    let texts =
        prop_oneof!["\\PC{0,40}", ".{0,40}", Just("x".to_owned()), Just("1-day".to_owned()), Just("worf".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    let names =
        prop::sample::select(&["message", "ttl", "handle", "message_group_uuid", "display_name", "bio", "x"][..]);
    let value = leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,5}", inner, 0..4).prop_map(Value::from_iter),
        ]
    });
    let object = proptest::collection::btree_map(names, value, 0..4).prop_map(|map| Value::from_iter(map).to_string());
    let body = prop_oneof![2 => object.prop_map(String::into_bytes), 1 => any::<Vec<u8>>()];
    let query = prop_oneof![
        any::<Vec<u8>>().prop_map(|bytes| [b"term=".to_vec(), bytes].concat()),
        any::<Vec<u8>>().prop_map(|bytes| [b"cursor=".to_vec(), bytes].concat()),
        any::<i64>().prop_map(|limit| format!("limit={limit}").into_bytes()),
        Just(Vec::new()),
    ];
    let headers = proptest::collection::vec(header, 0..4);
    (0..ROUTES.len(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60), query, headers, body)
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn random_requests_never_fail_with_5xx() {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let outcome = deterministic(2_000).run(&requests(), |(route, signed_in, part, query, headers, body)| {
        let route = &ROUTES[route];
        let mut path = route.path.to_owned();
        if part.len() % 3 == 0 {
            path = world.path(route);
        }
        for variable in ["{activity_uuid}", "{handle}", "{message_group_uuid}"] {
            path = path.replace(variable, &escaped(&part));
        }
        let (name, value) = query.split_at(query.iter().position(|byte| *byte == b'=').map_or(0, |at| at + 1));
        let uri = format!("{path}?{}{}", String::from_utf8_lossy(name), escaped(value));
        let mut request = request(route.method, &uri).header("content-type", "application/json");
        if signed_in {
            request = request.header("authorization", &world.bearer);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        let answer = runtime.block_on(world.send(request));
        prop_assert!(answer.status == 200 || (400..500).contains(&answer.status), "{}", answer.body);
        if answer.status != 200 {
            let has_reason = answer.body["detail"].is_string() || answer.body[0].is_string();
            prop_assert!(has_reason, "{}: {}", answer.status, answer.body);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// The status of the server's response to these bytes, or `None` if it closes the connection.
fn status_of(address: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The server may close the connection before the last byte.
    connection.write_all(bytes).ok();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).ok();
    let line = String::from_utf8_lossy(&answer).lines().next()?.to_owned();
    line.split(' ').nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_http_is_rejected_by_the_server() {
    let world = World::new().await;
    let server = HttpServer::start(listen::on_loopback(0, "--port").await.unwrap(), world.app.router()).unwrap();
    let address = server.address();
    let get =
        |rest: &str| format!("GET /api/activities/home HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}\r\n\r\n");
    let post = |rest: &str| format!("POST /api/activities HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}");
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    type Case<'a> = (&'a str, Vec<u8>, &'a [Option<u16>]);
    let cases: [Case<'_>; 12] = [
        ("a good one", get("accept: */*").into_bytes(), &[Some(200)]),
        ("a zero in the path", b"GET /api/\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), &[Some(400)]),
        ("a zero in a header", get("x: a\0b").into_bytes(), &[Some(400)]),
        (
            "raw bytes in the path",
            b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(),
            &[Some(400), Some(404)],
        ),
        (
            "raw bytes in a header",
            b"GET /api/health-check HTTP/1.1\r\nx: \xff\r\nconnection: close\r\n\r\n".to_vec(),
            &[Some(200)],
        ),
        ("a huge header", get(&format!("x: {}", "y".repeat(1_000_000))).into_bytes(), &[Some(431), None]),
        ("many headers", get(&many).into_bytes(), &[Some(431), None]),
        (
            "a huge path",
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000)).into_bytes(),
            &[Some(414), None],
        ),
        ("two lengths", post("content-length: 2\r\ncontent-length: 3\r\n\r\n{}").into_bytes(), &[Some(400)]),
        ("a negative length", post("content-length: -1\r\n\r\n{}").into_bytes(), &[Some(400)]),
        ("another version", b"GET / HTTP/9.9\r\n\r\n".to_vec(), &[Some(400), None]),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01".to_vec(), &[Some(400), None]),
    ];
    for (what, bytes, expected) in cases {
        let status = tokio::task::spawn_blocking(move || status_of(address, &bytes)).await.unwrap();
        assert!(expected.contains(&status), "{what}: {status:?}");
    }
    server.stop().await;
}
