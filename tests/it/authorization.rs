//! The status of every route for its owner, another user and anonymous users.

use std::collections::BTreeSet;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cruddur::api::{Access, ROUTES};
use cruddur_local::issuer::Issuer;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{ANDREW, ISSUER, SAMPLES, TestApp, WORF, at, request, token};

const POST: &str = r#"{"message": "x", "ttl": "1-day"}"#;

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

#[test]
fn sample_requests_cover_every_route_once() {
    let mut routes: Vec<_> =
        ROUTES.iter().map(|row| (format!("{} {}", row.method, row.path), row.access == Access::SignedIn)).collect();
    let mut samples: Vec<_> = SAMPLES.routes.iter().map(|row| (row.route(), row.anonymous == 401)).collect();
    routes.sort();
    samples.sort();
    // Only routes for signed-in users reject anonymous users.
    assert_eq!(samples, routes);
}

#[tokio::test]
async fn owner_and_other_user_get_their_statuses() {
    for sample in &SAMPLES.routes {
        for (sub, status) in [(ANDREW, sample.owner), (WORF, sample.other)] {
            let answer = TestApp::with_samples().await.send(sample.signed_in(sub)).await;
            assert_eq!(answer.status, status, "{} as {sub}: {}", sample.route(), answer.body);
        }
    }
}

#[tokio::test]
async fn invalid_token_is_rejected_or_anonymous() {
    for sample in &SAMPLES.routes {
        let app = TestApp::with_samples().await;
        let before = app.contents().await;
        for (who, authorization) in rejected_authorizations() {
            let mut request = sample.anonymous();
            if let Some(value) = authorization {
                request.headers_mut().insert("authorization", value.parse().unwrap());
            }
            let answer = app.send(request).await;
            assert_eq!(answer.status, sample.anonymous, "{} as {who}: {}", sample.route(), answer.body);
        }
        assert_eq!(app.contents().await, before, "{} changed data without a token", sample.route());
    }
}

#[tokio::test]
async fn unauthorized_response_has_the_token_error_code() {
    let app = TestApp::new().await;
    let (mut details, mut reasons) = (BTreeSet::new(), BTreeSet::new());
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
        let error = (code == "bad_token").then_some("invalid_token");
        assert_eq!((&answer.body["scheme"], answer.body["error"].as_str()), (&json!("Bearer"), error), "{who}");
        details.insert(answer.body["detail"].to_string());
        reasons.insert(answer.body["reason"].as_str().unwrap().to_owned());
    }
    assert_eq!(details.len(), 6, "{details:?}");
    let all = ["expired", "malformed", "missing", "not_for_us", "not_signed", "not_yet_valid"];
    assert_eq!(reasons.iter().collect::<Vec<_>>(), all);
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
