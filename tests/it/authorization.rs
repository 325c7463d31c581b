//! Who gets what answer on which route: a row for each row of the router's own table.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cruddur::api::{Access, ROUTES, Route};
use hmac::{Hmac, KeyInit, Mac};
use local::issuer::Issuer;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{ANDREW, Answer, ISSUER, TestApp, at, hours, request, signed_in, token, user};

/// What a route answers: to Andrew, whose things the paths name; to Worf; and to everybody who is nobody.
struct Row {
    method: &'static str,
    path: &'static str,
    body: &'static str,
    owner: u16,
    other: u16,
    nobody: u16,
}

const fn row(method: &'static str, path: &'static str, body: &'static str, [owner, other, nobody]: [u16; 3]) -> Row {
    Row { method, path, body, owner, other, nobody }
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
    // That there is the post is no secret.
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
    // That there is the conversation is between those who have it.
    row("GET", "/api/messages/{message_group_uuid}", "", [200, 404, 401]),
    row("POST", "/api/messages", TO_GROUP, [200, 404, 401]),
];

/// A system in which everything that the paths name is Andrew's.
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
        assert!(!path.contains('{'), "nothing stands for the parameter of {path}");
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

/// Andrew's claims; the test's time is half past twelve.
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

/// Signed with the public key as if it were a shared secret.
fn hs256() -> String {
    let key_set = ISSUER.key_set();
    let public = URL_SAFE_NO_PAD.decode(key_set["keys"][0]["n"].as_str().unwrap()).unwrap();
    let message = unsigned(&with(header(), "alg", json!("HS256")), &claims());
    let mac = Hmac::<Sha256>::new_from_slice(&public).unwrap().chain_update(&message).finalize().into_bytes();
    format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// Everybody who says to be Andrew and is not believed, and who says nothing.
pub(crate) fn nobodies() -> Vec<(&'static str, Option<String>)> {
    let id_token = with(with(claims(), "token_use", json!("id")), "aud", json!("local"));
    let other_pool = json!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other");
    let token = |header: Value, claims: Value| Some(signed(&header, &claims));
    let foreign = Issuer::fleeting().unwrap();
    let cut = signed(&header(), &claims());
    let mut altered = cut.clone().into_bytes();
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("anonymous", None),
        ("the original's client, signed out", Some("Bearer null".to_owned())),
        ("expired", token(header(), with(claims(), "exp", json!(at("2026-11-22T11:59:00Z").as_second())))),
        ("not valid yet", token(header(), with(claims(), "nbf", json!(at("2026-11-22T12:01:01Z").as_second())))),
        ("without an end", token(header(), with(claims(), "exp", Value::Null))),
        ("wrong pool", token(header(), with(claims(), "iss", other_pool))),
        ("wrong client", token(header(), with(claims(), "client_id", json!("another")))),
        ("ID token", token(header(), id_token)),
        ("nobody's", token(header(), with(claims(), "sub", json!("")))),
        ("alg none", Some(format!("Bearer {}.", unsigned(&with(header(), "alg", json!("none")), &claims())))),
        ("alg none, with a signature", token(with(header(), "alg", json!("none")), claims())),
        ("another alg for the same key", token(with(header(), "alg", json!("RS512")), claims())),
        ("HS256 with the public key", Some(hs256())),
        ("another kid", token(with(header(), "kid", json!("another")), claims())),
        ("no kid", token(json!({ "alg": "RS256" }), claims())),
        ("a kid that is no text", token(with(header(), "kid", json!(7)), claims())),
        ("an extension to be understood", token(with(header(), "crit", json!(["b64"])), claims())),
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
fn every_route_has_its_row_and_every_row_its_route() {
    let routes: Vec<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.method, row.path)).collect();
    assert_eq!(routes.iter().copied().collect::<BTreeSet<_>>(), rows);
    assert_eq!((routes.len(), ROWS.len()), (rows.len(), rows.len()), "nothing stands there twice");
}

#[tokio::test]
async fn the_owner_and_another_user_get_what_is_theirs() {
    for row in &ROWS {
        for (sub, status) in [(ANDREW, row.owner), ("demo-worf", row.other)] {
            let world = World::new().await;
            let answer = world.app.send(signed_in(world.request(row), sub)).await;
            assert_eq!(answer.status, status, "{} {} as {sub}: {}", row.method, row.path, answer.body);
        }
    }
}

#[tokio::test]
async fn who_is_not_believed_is_nobody_on_every_route() {
    for row in &ROWS {
        let world = World::new().await;
        let before = world.app.contents().await;
        for (who, authorization) in nobodies() {
            let answer = world.with_authorization(row, authorization.as_deref()).await;
            assert_eq!(answer.status, row.nobody, "{} {} as {who}: {}", row.method, row.path, answer.body);
        }
        assert_eq!(world.app.contents().await, before, "{} {} by nobody has changed nothing", row.method, row.path);
    }
}

#[test]
fn a_route_for_users_is_closed_to_nobodies_and_no_other_is() {
    for row in &ROWS {
        assert_eq!(route(row).access == Access::SignedIn, row.nobody == 401, "{} {}", row.method, row.path);
    }
}

#[tokio::test]
async fn a_401_says_what_is_wrong_with_the_token() {
    let app = TestApp::new().await;
    let told = async |authorization: Option<String>| {
        let mut request = request("POST", "/api/activities");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = app.send(request.body(Body::from(POST)).unwrap()).await;
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        (answer.status, challenge, answer.body["code"].clone(), answer.body["detail"].as_str().unwrap().to_owned())
    };
    let plain = |detail: &str| (401, "Bearer".to_owned(), json!("unauthenticated"), detail.to_owned());
    let bad = |detail: &str| (401, r#"Bearer error="invalid_token""#.to_owned(), json!("bad_token"), detail.to_owned());
    let malformed = "`Authorization` must be `Bearer`, one space, and one access token signed with RS256.";
    let not_signed = "The access token is not signed by a key of our user pool: sign in again.";
    let not_ours = "The token is not an access token of our user pool's client: sign in to this application.";
    let expired = "The access token has expired: refresh it, or sign in again.";
    let early = "The access token is not valid yet: compare this machine's clock with the right time.";
    for (who, authorization) in nobodies() {
        let expected = match who {
            "anonymous" | "the original's client, signed out" => plain("Sign in first: this route needs a user."),
            "expired" => bad(expired),
            "not valid yet" => bad(early),
            "wrong pool" | "wrong client" | "ID token" | "nobody's" => bad(not_ours),
            "another kid"
            | "another key under our kid"
            | "altered"
            | "without a signature"
            | "cut off"
            | "without an end" => bad(not_signed),
            _ => bad(malformed),
        };
        assert_eq!(told(authorization).await, expected, "{who}");
    }
}

#[tokio::test]
async fn two_tokens_are_none() {
    let app = TestApp::new().await;
    let bearer = format!("Bearer {}", token(ANDREW));
    let request = request("POST", "/api/activities").header("authorization", &bearer).header("authorization", &bearer);
    assert_eq!(app.send(request.body(Body::from(POST)).unwrap()).await.status, 401);
}

#[tokio::test]
async fn the_scheme_may_be_written_as_one_likes() {
    let app = TestApp::new().await;
    let request = request("POST", "/api/activities").header("authorization", format!("bearer {}", token(ANDREW)));
    let request = request.header("content-type", "application/json").body(Body::from(POST)).unwrap();
    assert_eq!(app.send(request).await.status, 200);
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let app = TestApp::new().await;
    // It is a quarter of a second past twelve.
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

#[tokio::test]
async fn the_sign_of_a_handle_may_be_escaped() {
    let app = TestApp::new().await;
    for handle in ["andrewbrown", "nobody"] {
        let plain = app.get(&format!("/api/activities/@{handle}")).await;
        let escaped = app.get(&format!("/api/activities/%40{handle}")).await;
        assert_eq!((plain.status, plain.body), (escaped.status, escaped.body));
    }
}
