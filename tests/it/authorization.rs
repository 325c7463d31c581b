//! The status of every route for its owner, another user and anonymous users.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cruddur::api::{Access, ROUTES, Route};
use cruddur_local::issuer::Issuer;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{ANDREW, Answer, ISSUER, TestApp, at, hours, request, signed_in, token, user};

/// The statuses of a route: for Andrew, who owns everything in the paths; for Worf; and without a valid token.
struct Row {
    method: &'static str,
    path: &'static str,
    body: &'static str,
    owner: u16,
    other: u16,
    anonymous: u16,
}

const fn row(method: &'static str, path: &'static str, body: &'static str, [owner, other, anonymous]: [u16; 3]) -> Row {
    Row { method, path, body, owner, other, anonymous }
}

const POST: &str = r#"{"message": "x", "ttl": "1-day"}"#;

const MESSAGE: &str = r#"{"message": "x"}"#;
const TO_GROUP: &str = r#"{"message": "x", "message_group_uuid": "{message_group_uuid}"}"#;
const PROFILE: &str = r#"{"display_name": "x", "bio": ""}"#;

#[rustfmt::skip]
const ROWS: [Row; 22] = [
    row("GET", "/api/health-check", "", [200, 200, 200]),
    row("GET", "/api/openapi.json", "", [200, 200, 200]),
    row("GET", "/api/activities/home", "", [200, 200, 200]),
    row("GET", "/api/activities/notifications", "", [200, 200, 401]),
    row("PUT", "/api/activities/notifications", "", [200, 200, 401]),
    row("GET", "/api/activities/search", "", [200, 200, 200]),
    row("GET", "/api/activities/@{handle}", "", [200, 200, 200]),
    row("GET", "/api/activities/@{handle}/status/{activity_uuid}", "", [200, 200, 200]),
    row("GET", "/api/activities/{activity_uuid}", "", [200, 200, 200]),
    row("POST", "/api/activities", POST, [200, 200, 401]),
    // Posts are public, so 403 reveals nothing.
    row("DELETE", "/api/activities/{activity_uuid}", "", [200, 403, 401]),
    row("POST", "/api/activities/{activity_uuid}/reply", MESSAGE, [200, 200, 401]),
    row("PUT", "/api/activities/{activity_uuid}/like", "", [200, 200, 401]),
    row("DELETE", "/api/activities/{activity_uuid}/like", "", [200, 200, 401]),
    row("PUT", "/api/activities/{activity_uuid}/repost", "", [200, 200, 401]),
    row("DELETE", "/api/activities/{activity_uuid}/repost", "", [200, 200, 401]),
    row("GET", "/api/users/@{handle}/short", "", [200, 200, 200]),
    row("POST", "/api/profile/update", PROFILE, [200, 200, 401]),
    row("PUT", "/api/profile/update", PROFILE, [200, 200, 401]),
    row("GET", "/api/message_groups", "", [200, 200, 401]),
    // 404, because only members may know that a conversation exists.
    row("GET", "/api/messages/{message_group_uuid}", "", [200, 404, 401]),
    row("POST", "/api/messages", TO_GROUP, [200, 404, 401]),
];

/// A system in which Andrew owns everything in the paths.
struct World {
    app: TestApp,
    activity: String,
    group: String,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let activity = app.posted(hours(1), 1, "Andrew's", "1-day").await.id.to_string();
        app.state.store.create_profile(&user(3, "demo-bayko", "bayko", "Andrew Bayko")).await.unwrap();
        let opened = app.post_as(ANDREW, "/api/messages", &json!({ "message": "Andrew's", "handle": "bayko" })).await;
        let group = opened.body["message_group_uuid"].as_str().unwrap().to_owned();
        Self { app, activity, group }
    }

    fn request(&self, row: &Row) -> Request<Body> {
        let filled = |text: &str| {
            let text = text.replace("{activity_uuid}", &self.activity).replace("{handle}", "andrewbrown");
            text.replace("{message_group_uuid}", &self.group)
        };
        let path = filled(row.path);
        assert!(!path.contains('{'), "{path} has an unknown parameter");
        let query = if path.ends_with("/search") { "?term=andrew" } else { "" };
        let request = request(row.method, &format!("{path}{query}")).header("content-type", "application/json");
        request.body(Body::from(filled(row.body))).unwrap()
    }

    async fn with_authorization(&self, row: &Row, authorization: Option<&str>) -> Answer {
        let mut request = self.request(row);
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        self.app.send(request).await
    }
}

fn header() -> Value {
    json!({ "alg": "RS256", "kid": ISSUER.kid() })
}

/// Andrew's claims.
fn claims() -> Value {
    Issuer::claims(ANDREW, at("2026-11-22T11:30:00Z"))
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn signed(header: &Value, claims: &Value) -> String {
    format!("Bearer {}", ISSUER.sign(header, claims).unwrap())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encoded(header), encoded(claims))
}

/// A token signed with the public key as if it were a shared secret.
fn hs256() -> String {
    let key_set = ISSUER.key_set();
    let public = URL_SAFE_NO_PAD.decode(key_set["keys"][0]["n"].as_str().unwrap()).unwrap();
    let message = unsigned(&with(header(), "alg", json!("HS256")), &claims());
    let mac = Hmac::<Sha256>::new_from_slice(&public).unwrap().chain_update(&message).finalize().into_bytes();
    format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// Values of `Authorization` that authenticate no user.
pub(crate) fn rejected_authorizations() -> Vec<(&'static str, Option<String>)> {
    let id_token = with(with(claims(), "token_use", json!("id")), "aud", json!("local"));
    let other_pool = json!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other");
    let token = |header: Value, claims: Value| Some(signed(&header, &claims));
    let foreign = Issuer::ephemeral().unwrap();
    let cut = signed(&header(), &claims());
    let mut altered = cut.clone().into_bytes();
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("anonymous", None),
        ("the original's client, signed out", Some("Bearer null".to_owned())),
        ("expired", token(header(), with(claims(), "exp", json!(at("2026-11-22T11:59:00Z").as_second())))),
        ("not valid yet", token(header(), with(claims(), "nbf", json!(at("2026-11-22T12:01:01Z").as_second())))),
        ("without an expiry", token(header(), with(claims(), "exp", Value::Null))),
        ("wrong pool", token(header(), with(claims(), "iss", other_pool))),
        ("wrong client", token(header(), with(claims(), "client_id", json!("another")))),
        ("ID token", token(header(), id_token)),
        ("without a user", token(header(), with(claims(), "sub", json!("")))),
        ("alg none", Some(format!("Bearer {}.", unsigned(&with(header(), "alg", json!("none")), &claims())))),
        ("alg none, with a signature", token(with(header(), "alg", json!("none")), claims())),
        ("another alg for the same key", token(with(header(), "alg", json!("RS512")), claims())),
        ("HS256 with the public key", Some(hs256())),
        ("another kid", token(with(header(), "kid", json!("another")), claims())),
        ("no kid", token(json!({ "alg": "RS256" }), claims())),
        ("a kid that is a number", token(with(header(), "kid", json!(7)), claims())),
        ("a critical extension", token(with(header(), "crit", json!(["b64"])), claims())),
        ("another key under our kid", Some(format!("Bearer {}", foreign.sign(&header(), &claims()).unwrap()))),
        ("altered", Some(String::from_utf8(altered).unwrap())),
        ("without a signature", Some(format!("Bearer {}.", unsigned(&header(), &claims())))),
        ("cut off", Some(cut[..cut.len() - 4].to_owned())),
        ("two words", Some(format!("{cut} b"))),
        ("another scheme", Some(cut.replacen("Bearer", "Basic", 1))),
        ("no scheme", Some(cut.replacen("Bearer ", "", 1))),
        ("two spaces", Some(cut.replacen(' ', "  ", 1))),
        ("no token", Some("Bearer ".to_owned())),
        ("a long text", Some(format!("Bearer {}", "x".repeat(100_000)))),
        ("JSON", Some(r#"Bearer {"sub":"demo-andrewbrown"}"#.to_owned())),
    ]
}

fn route(row: &Row) -> &'static Route {
    ROUTES.iter().find(|route| (route.method, route.path) == (row.method, row.path)).unwrap()
}

#[test]
fn access_table_covers_every_route() {
    let routes: Vec<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.method, row.path)).collect();
    assert_eq!(routes.iter().copied().collect::<BTreeSet<_>>(), rows);
    assert_eq!((routes.len(), ROWS.len()), (rows.len(), rows.len()), "a route is listed twice");
}

#[tokio::test]
async fn owner_and_other_user_get_their_statuses() {
    for row in &ROWS {
        for (sub, status) in [(ANDREW, row.owner), ("demo-worf", row.other)] {
            let world = World::new().await;
            let answer = world.app.send(signed_in(world.request(row), sub)).await;
            assert_eq!(answer.status, status, "{} {} as {sub}: {}", row.method, row.path, answer.body);
        }
    }
}

#[tokio::test]
async fn invalid_token_is_rejected_or_anonymous() {
    for row in &ROWS {
        let world = World::new().await;
        let before = world.app.contents().await;
        for (who, authorization) in rejected_authorizations() {
            let answer = world.with_authorization(row, authorization.as_deref()).await;
            assert_eq!(answer.status, row.anonymous, "{} {} as {who}: {}", row.method, row.path, answer.body);
        }
        assert_eq!(world.app.contents().await, before, "{} {} was changed without a token", row.method, row.path);
    }
}

#[test]
fn only_signed_in_routes_reject_anonymous_users() {
    for row in &ROWS {
        assert_eq!(route(row).access == Access::SignedIn, row.anonymous == 401, "{} {}", row.method, row.path);
    }
}

#[tokio::test]
async fn unauthorized_response_has_the_token_error_code() {
    let app = TestApp::new().await;
    let mut details = BTreeSet::new();
    for (who, authorization) in rejected_authorizations() {
        let mut request = request("POST", "/api/activities");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = app.send(request.body(Body::from(POST)).unwrap()).await;
        let (challenge, code) = match who {
            "anonymous" | "the original's client, signed out" => ("Bearer", "unauthenticated"),
            _ => (r#"Bearer error="invalid_token""#, "bad_token"),
        };
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!(code)), "{who}");
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{who}");
        details.insert(answer.body["detail"].to_string());
    }
    // Anonymous, malformed, not signed by the pool, of another client, expired, not valid yet.
    assert_eq!(details.len(), 6, "{details:?}");
}

#[tokio::test]
async fn two_authorization_headers_are_rejected() {
    let app = TestApp::new().await;
    let bearer = format!("Bearer {}", token(ANDREW));
    let request = request("POST", "/api/activities").header("authorization", &bearer).header("authorization", &bearer);
    assert_eq!(app.send(request.body(Body::from(POST)).unwrap()).await.status, 401);
}

#[tokio::test]
async fn bearer_scheme_is_case_insensitive() {
    let app = TestApp::new().await;
    let request = request("POST", "/api/activities").header("authorization", format!("bearer {}", token(ANDREW)));
    let request = request.header("content-type", "application/json").body(Body::from(POST)).unwrap();
    assert_eq!(app.send(request).await.status, 200);
}

#[tokio::test]
async fn token_times_allow_a_minute_of_clock_skew() {
    let app = TestApp::new().await;
    // The clock shows 12:00:00.250.
    for (claim, time, status) in [
        ("exp", "2026-11-22T11:59:01Z", 422),
        ("exp", "2026-11-22T11:59:00Z", 401),
        ("nbf", "2026-11-22T12:01:00Z", 422),
        ("nbf", "2026-11-22T12:01:01Z", 401),
    ] {
        let token = signed(&header(), &with(claims(), claim, json!(at(time).as_second())));
        let request = request("POST", "/api/activities").header("authorization", token);
        let answer = app.send(request.header("content-type", "application/json").body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, status, "{claim} {time}");
    }
    for (claim, number) in [("exp", i64::MAX), ("nbf", i64::MIN)] {
        let token = signed(&header(), &with(claims(), claim, json!(number)));
        let request = request("POST", "/api/activities").header("authorization", token);
        let answer = app.send(request.header("content-type", "application/json").body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, 422, "{claim} {number}");
    }
}
