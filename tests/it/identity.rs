//! When the key set is fetched, and what happens if it is unavailable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use cruddur::api::{AppState, Identity, ReadError};
use cruddur_local::issuer::Issuer;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, ISSUER, TestApp, at, request, token};

/// A key server that can fail and rotate its keys, and counts requests.
#[derive(Clone)]
struct KeyServer {
    asked: Arc<AtomicUsize>,
    up: Arc<AtomicBool>,
    rotated: Arc<AtomicBool>,
}

impl KeyServer {
    fn new() -> Self {
        Self { asked: Arc::default(), up: Arc::new(AtomicBool::new(true)), rotated: Arc::default() }
    }

    async fn read(self) -> Result<Vec<u8>, ReadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // Lets other tasks run, as a network request would.
        tokio::task::yield_now().await;
        if !self.up.load(Ordering::Relaxed) {
            return Err("out of service".into());
        }
        let mut keys = ISSUER.key_set();
        if self.rotated.load(Ordering::Relaxed) {
            keys["keys"][0]["kid"] = json!("new");
        }
        Ok(keys.to_string().into_bytes())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }
}

fn app(keys: &KeyServer) -> TestApp {
    let mut app = TestApp::unreachable();
    let keys = keys.clone();
    let identity = Identity::tokens(Issuer::pool(), move || keys.clone().read());
    app.state = AppState { identity, ..app.state };
    app
}

/// An app whose user pool has this key set.
fn app_with(keys: Value) -> TestApp {
    let mut app = TestApp::unreachable();
    app.state.identity = Identity::tokens(Issuer::pool(), move || {
        let text = keys.to_string();
        async { Ok(text.into_bytes()) }
    });
    app
}

/// Returns 422 for a signed-in user, because the input is empty; needs no table.
async fn post_with(app: &TestApp, token: &str) -> Answer {
    let request = request("POST", "/api/activities").header("authorization", format!("Bearer {token}"));
    app.send(request.header("content-type", "application/json").body(Body::from("{}")).unwrap()).await
}

fn of_kid(kid: &str) -> String {
    let claims = Issuer::claims(ANDREW, at("2026-11-22T12:00:00Z"));
    ISSUER.sign(&json!({ "alg": "RS256", "kid": kid }), &claims).unwrap()
}

#[tokio::test]
async fn preloaded_key_set_is_not_fetched_again() {
    let keys = KeyServer::new();
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    for _ in 0..3 {
        assert_eq!(post_with(&app, &token(ANDREW)).await.status, 422);
    }
    assert_eq!(keys.asked(), 1);
}

#[tokio::test]
async fn concurrent_requests_fetch_the_key_set_once() {
    let keys = KeyServer::new();
    let app = app(&keys);
    let token = token(ANDREW);
    let answers = join_all((0..20).map(|_| post_with(&app, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 422));
    assert_eq!(keys.asked(), 1);
}

#[tokio::test]
async fn unknown_keys_refetch_once_in_five_seconds() {
    let keys = KeyServer::new();
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    let made_up: Vec<_> = (0..20).map(|n| of_kid(&format!("made-up-{n}"))).collect();
    let flood = async || {
        let answers = join_all(made_up.iter().map(|token| post_with(&app, token))).await;
        assert!(answers.iter().all(|answer| answer.status == 401));
    };
    // One minute: 12 intervals after the first fetch.
    for tenth in 1..=600 {
        app.pass(SignedDuration::from_millis(100));
        if tenth % 10 == 0 {
            flood().await;
        }
        assert_eq!(keys.asked(), 1 + tenth / 50, "after {tenth} tenths of a second");
    }
}

#[tokio::test]
async fn new_key_is_accepted_within_five_seconds() {
    let keys = KeyServer::new();
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    // Published just after the last fetch: the longest wait.
    keys.rotated.store(true, Ordering::Relaxed);
    app.pass(SignedDuration::from_millis(4999));
    assert_eq!(post_with(&app, &of_kid("new")).await.status, 401);
    app.pass(SignedDuration::from_millis(1));
    let tokens = [of_kid("new"), of_kid("made-up"), of_kid("new")];
    let answers = join_all(tokens.iter().map(|token| post_with(&app, token))).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [422, 401, 422]);
    assert_eq!(keys.asked(), 2);
    assert_eq!(post_with(&app, &token(ANDREW)).await.status, 401, "the old key is no longer in the set");
}

#[tokio::test]
async fn removed_key_is_rejected_within_an_hour() {
    let keys = KeyServer::new();
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    keys.rotated.store(true, Ordering::Relaxed);
    app.pass(SignedDuration::from_secs(3599));
    assert_eq!(post_with(&app, &token(ANDREW)).await.status, 422);
    app.pass(SignedDuration::from_secs(1));
    assert_eq!(post_with(&app, &token(ANDREW)).await.status, 401);
}

#[tokio::test]
async fn known_keys_survive_a_key_server_outage() {
    let keys = KeyServer::new();
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    keys.set_up(false);
    for _ in 0..48 {
        app.pass(SignedDuration::from_hours(1));
        assert_eq!(post_with(&app, &token(ANDREW)).await.status, 422);
    }
}

#[tokio::test]
async fn unavailable_keys_are_503_with_retry_after() {
    let keys = KeyServer::new();
    keys.set_up(false);
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    let answer = post_with(&app, &token(ANDREW)).await;
    answer.assert_error(503, "no_key_set");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(keys.asked(), 1, "the last fetch was a moment ago");

    keys.set_up(true);
    app.pass(SignedDuration::from_secs(5));
    assert_eq!(post_with(&app, &token(ANDREW)).await.status, 422);
}

#[tokio::test]
async fn empty_key_set_keeps_the_known_keys() {
    for text in ["", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "EC", "kid": "a"}]}"#, "<html>"] {
        let asked = Arc::new(AtomicUsize::new(0));
        let read = move || {
            let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            let text = if first { ISSUER.key_set().to_string() } else { text.to_owned() };
            async { Ok(text.into_bytes()) }
        };
        let mut app = TestApp::unreachable();
        app.state.identity = Identity::tokens(Issuer::pool(), read);
        app.state.identity.warm_up(app.now()).await;
        app.pass(SignedDuration::from_hours(2));
        assert_eq!(post_with(&app, &token(ANDREW)).await.status, 422, "{text}");
    }
}

#[tokio::test]
async fn malformed_key_does_not_discard_the_others() {
    for odd in [json!(null), json!("key"), json!({}), json!({ "kty": 5 }), json!({ "kty": "RSA", "kid": 5 })] {
        let mut keys = ISSUER.key_set();
        keys["keys"].as_array_mut().unwrap().insert(0, odd.clone());
        let app = app_with(keys);
        assert_eq!(post_with(&app, &token(ANDREW)).await.status, 422, "{odd}");
    }
}

#[tokio::test]
async fn key_without_an_id_is_ignored() {
    let mut keys = ISSUER.key_set();
    keys["keys"][0].as_object_mut().unwrap().remove("kid");
    let app = app_with(keys);
    post_with(&app, &token(ANDREW)).await.assert_error(503, "no_key_set");
}

#[tokio::test]
async fn last_of_two_keys_with_one_id_counts() {
    let mut other = ISSUER.key_set()["keys"][0].clone();
    other["n"] = Issuer::ephemeral().unwrap().key_set()["keys"][0]["n"].clone();
    for (position, status) in [(0, 422), (1, 401)] {
        let mut keys = ISSUER.key_set();
        keys["keys"].as_array_mut().unwrap().insert(position, other.clone());
        let app = app_with(keys);
        assert_eq!(post_with(&app, &token(ANDREW)).await.status, status, "{position}");
    }
}

#[tokio::test]
async fn unknown_key_during_an_outage_is_503() {
    let keys = KeyServer::new();
    let app = app(&keys);
    app.state.identity.warm_up(app.now()).await;
    keys.set_up(false);
    app.pass(SignedDuration::from_secs(5));
    post_with(&app, &of_kid("new")).await.assert_error(503, "no_key_set");
}

#[tokio::test]
async fn keys_for_other_uses_are_ignored() {
    for (name, value) in [("use", "enc"), ("alg", "RS512"), ("kty", "oct"), ("n", "***")] {
        let mut keys = ISSUER.key_set();
        let mut other = keys["keys"][0].clone();
        other["kid"] = json!("other");
        other[name] = json!(value);
        keys["keys"].as_array_mut().unwrap().push(other);
        let app = app_with(keys);
        assert_eq!(post_with(&app, &of_kid("other")).await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn fixed_identity_ignores_tokens() {
    let mut app = TestApp::new().await;
    app.state.identity = Identity::fixed(ANDREW.to_owned());
    for authorization in ["Bearer null", "Bearer x", "nonsense"] {
        let request = request("POST", "/api/activities").header("authorization", authorization);
        let body = Body::from(r#"{"message": "x", "ttl": "1-day"}"#);
        let answer = app.send(request.header("content-type", "application/json").body(body).unwrap()).await;
        assert_eq!((answer.status, &answer.body["handle"]), (200, &json!("andrewbrown")));
    }
}
