//! Every error response matches `tests/errors.txt`.

use std::fs;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use cruddur::api::{self, AppState, Deadline, Identity};
use cruddur::clock::Clock;
use cruddur::store::Store;
use cruddur_local::issuer::Issuer;
use jiff::SignedDuration;
use lambda_spans::{Settings, Spans};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::outage::app_with_failing_dynamodb;
use crate::support::{
    ANDREW, ISSUER, ORIGIN, TABLE, TestApp, answer, assert_snapshot, at, change_layout, hours, numbered, request,
    signed_in, texts_in, token, user,
};

const CREATE: &str = "/api/activities";

/// The responses so far.
#[derive(Default)]
struct Responses(String);

impl Responses {
    async fn add(&mut self, title: &str, router: Router, request: Request<Body>) {
        let answer = answer(router, request).await;
        assert!(answer.status >= 400, "{title}: {}", answer.status);
        let code = answer.body["code"].as_str().unwrap_or("invalid");
        self.0.push_str(&format!("\n## {} {code}: {title}\n", answer.status));
        for name in ["allow", "retry-after", "www-authenticate"] {
            if let Some(value) = answer.header(name) {
                self.0.push_str(&format!("{name}: {value}\n"));
            }
        }
        let Value::Object(mut problem) = answer.body.clone() else {
            assert_eq!(answer.header("content-type"), Some("application/json"), "{title}");
            self.0.push_str(&format!("{}\n", answer.body));
            return;
        };
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{title}");
        let reason = StatusCode::from_u16(answer.status).unwrap().canonical_reason();
        for (name, value) in [
            ("type", json!("about:blank")),
            ("title", json!(reason)),
            ("status", json!(answer.status)),
            ("code", json!(code)),
        ] {
            assert_eq!(problem.remove(name), Some(value), "{title}");
        }
        self.0.push_str(&format!("{}\n", problem.remove("detail").unwrap().as_str().unwrap()));
        if !problem.is_empty() {
            self.0.push_str(&format!("{}\n", json!(problem)));
        }
    }
}

fn get(path: &str) -> Request<Body> {
    request("GET", path).body(Body::empty()).unwrap()
}

fn as_andrew(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = request(method, path).header("content-type", "application/json");
    signed_in(request.body(body.into()).unwrap(), ANDREW)
}

fn post(body: &str) -> Request<Body> {
    as_andrew("POST", CREATE, body.to_owned())
}

fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

const GOOD: &str = r#"{"message": "x", "ttl": "1-day"}"#;

#[tokio::test]
async fn error_responses_match_the_snapshot() {
    let mut responses = Responses::default();
    let app = TestApp::new().await;
    let router = || app.router();

    for (title, body) in [
        ("a truncated body", "{"),
        ("an unknown field", r#"{"message": "x", "text": "y"}"#),
        ("a field of the wrong type", r#"{"message": 5, "ttl": "1-day"}"#),
        ("a string instead of an object", r#""x""#),
        ("an array instead of an object", r#"["x", "1-day"]"#),
        ("trailing characters", "{} {}"),
    ] {
        responses.add(title, router(), post(body)).await;
    }
    responses.add("a path with invalid UTF-8", router(), get("/api/activities/%ff")).await;
    responses.add("a limit out of range", router(), get("/api/activities/home?limit=101")).await;
    responses.add("a limit that is not a number", router(), get("/api/activities/home?limit=ten")).await;
    responses.add("two limits", router(), get("/api/activities/home?limit=1&limit=2")).await;
    for (title, key) in [("a key with a space", "a b"), ("a long key", &*"k".repeat(256)), ("an empty key", "")] {
        responses.add(title, router(), with(post(GOOD), "idempotency-key", key)).await;
    }
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    let elsewhere = r#"{"message": "y", "activity_uuid": "z"}"#;
    let to_parent = format!("/api/activities/{parent}/reply");
    responses.add("a reply whose body names another post", router(), as_andrew("POST", &to_parent, elsewhere)).await;

    let spans = |origin: &str| {
        let request = request("POST", "/v1/traces").header("content-type", "application/json").header("origin", origin);
        request.header("accept", "application/problem+json").body(Body::from("{}")).unwrap()
    };
    responses.add("spans of another page", router(), spans("https://other.example")).await;
    let without = api::router(AppState { browser_spans: None, ..app.state.clone() });
    responses.add("spans of a page without the setting", without, spans(ORIGIN)).await;

    responses.add("an invalid cursor", router(), get("/api/activities/home?cursor=x")).await;
    for number in 2..4 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    let next = app.get("/api/activities/home?limit=1").await.next().unwrap();
    responses.add("a cursor of another route", router(), get(&format!("/api/activities/@andrewbrown{next}"))).await;
    let late = TestApp::on(app.client.clone());
    late.pass(SignedDuration::from_hours(25));
    responses.add("an expired cursor", late.router(), get(&format!("/api/activities/home{next}"))).await;

    let anonymous = || request("POST", CREATE).body(Body::empty()).unwrap();
    responses.add("no token", router(), anonymous()).await;
    let claims = |name: &str, value: Value| {
        let mut claims = Issuer::claims(ANDREW, at("2026-11-22T11:30:00Z"));
        claims[name] = value;
        let header = json!({ "alg": "RS256", "kid": ISSUER.kid() });
        format!("Bearer {}", ISSUER.sign(&header, &claims).unwrap())
    };
    let andrews = app.get_as(ANDREW, "/api/activities/home?limit=1").await.next().unwrap();
    let andrews = || get(&format!("/api/activities/home{andrews}"));
    responses.add("a user's cursor without a token", router(), andrews()).await;
    let expired = with(andrews(), "authorization", &claims("exp", json!(1)));
    responses.add("a user's cursor with an expired token", router(), expired).await;
    for (title, value) in [
        ("a malformed token", "Bearer x".to_owned()),
        ("a token of another client", claims("client_id", json!("another"))),
        ("an expired token", claims("exp", json!(1))),
        ("a token that is not valid yet", claims("nbf", json!(4_000_000_000_u64))),
        ("a token with a wrong signature", altered(&token(ANDREW))),
    ] {
        responses.add(title, router(), with(anonymous(), "authorization", &value)).await;
    }
    let keyless = Identity::tokens(Issuer::pool(), async || Err("no key server".into()));
    let keyless = api::router(AppState { identity: keyless, ..app.state.clone() });
    responses.add("signing keys unavailable", keyless, post(GOOD)).await;

    responses
        .add(
            "a user without a profile",
            router(),
            signed_in(with(anonymous(), "content-type", "application/json"), "x"),
        )
        .await;
    let profileless =
        request("POST", CREATE).header("content-type", "application/json").body(Body::from(GOOD)).unwrap();
    responses.add("a post of a user without a profile", router(), signed_in(profileless, "x")).await;
    let delete = request("DELETE", &format!("/api/activities/{parent}")).body(Body::empty()).unwrap();
    responses.add("deleting another user's post", router(), signed_in(delete, "demo-worf")).await;

    responses.add("an unknown route", router(), get("/api/nothing-here")).await;
    responses.add("an unknown post", router(), get("/api/activities/x")).await;
    responses.add("an unknown user", router(), get("/api/activities/@nobody")).await;
    let to_nobody = r#"{"message": "x", "handle": "nobody"}"#;
    responses.add("a message to an unknown user", router(), as_andrew("POST", "/api/messages", to_nobody)).await;
    responses.add("an unknown conversation", router(), as_andrew("GET", "/api/messages/x", "")).await;
    responses.add("an unsupported method", router(), request("PATCH", CREATE).body(Body::empty()).unwrap()).await;
    responses.add("a body over the limit", router(), post(&"x".repeat(65_537))).await;
    responses.add("a body of another content type", router(), with(post(GOOD), "content-type", "text/plain")).await;
    responses.add("a body of an unknown content type", router(), with(post(GOOD), "content-type", "secret/x")).await;

    responses.add("two violations", router(), post("{}")).await;
    responses
        .add("two violations as a problem", router(), with(post("{}"), "accept", "application/problem+json"))
        .await;
    for (title, method, path, body) in [
        ("a long post", "POST", CREATE, json!({ "message": "x".repeat(281), "ttl": "1-day" })),
        ("a long reply", "POST", &*to_parent, json!({ "message": "x".repeat(1025) })),
        ("control characters in a post", "POST", CREATE, json!({ "message": "\u{0}", "ttl": "1-day" })),
        (
            "a long name and bio",
            "PUT",
            "/api/profile/update",
            json!({ "display_name": "x".repeat(51), "bio": "x".repeat(501) }),
        ),
        (
            "control characters in name and bio",
            "PUT",
            "/api/profile/update",
            json!({ "display_name": "\u{7}", "bio": "\u{7}" }),
        ),
        ("no name", "PUT", "/api/profile/update", json!({})),
        ("a message without text and receiver", "POST", "/api/messages", json!({ "handle": "" })),
        (
            "a message without a conversation",
            "POST",
            "/api/messages",
            json!({ "message": "x", "message_group_uuid": "" }),
        ),
        ("a message to the sender", "POST", "/api/messages", json!({ "message": "x", "handle": "andrewbrown" })),
    ] {
        responses.add(title, router(), as_andrew(method, path, body.to_string())).await;
    }
    responses.add("no term", router(), get("/api/activities/search")).await;
    responses.add("a long term", router(), get(&format!("/api/activities/search?term={}", "x".repeat(281)))).await;

    app.send(with(post(GOOD), "idempotency-key", "k")).await;
    let other = r#"{"message": "y", "ttl": "1-day"}"#;
    responses.add("a compressed body", router(), with(post(other), "content-encoding", "gzip")).await;
    responses.add("a reused key with another body", router(), with(post(other), "idempotency-key", "k")).await;

    let always = Clock::new(|| at("2026-11-22T12:00:00.250Z"), |at| numbered(at, 77));
    let same_id = api::router(AppState { clock: always, ..app.state.clone() });
    answer(same_id.clone(), post(GOOD)).await;
    responses.add("an id collision", same_id, post(other)).await;

    let panics = Clock::new(|| panic!("on purpose"), |at| numbered(at, 0));
    let panics = api::router(AppState { clock: panics, ..app.state.clone() });
    responses.add("a panic", panics, get("/api/activities/home")).await;
    let mut late = get("/api/activities/home");
    late.extensions_mut().insert(Deadline(app.now() + SignedDuration::from_millis(1)));
    responses.add("a deadline that has passed", router(), late).await;

    for (title, status, error) in [
        ("DynamoDB throttles", StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException"),
        ("DynamoDB fails", StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        ("DynamoDB denies access", StatusCode::BAD_REQUEST, "AccessDeniedException"),
    ] {
        let broken = app_with_failing_dynamodb(status, error).await;
        responses.add(title, broken.router(), get("/api/activities/home")).await;
    }
    let broken = app_with_failing_dynamodb(StatusCode::BAD_REQUEST, "AccessDeniedException").await;
    responses.add("a deep health check without DynamoDB", broken.router(), get("/api/health-check?deep")).await;
    corrupt(&app).await;
    responses.add("a corrupt item", router(), get("/api/activities/@andrewbrown")).await;
    change_layout(&app).await;
    let mut state = app.state.clone();
    state.store = Store::new(app.client.clone(), TABLE);
    let other = cruddur::api::router(state);
    responses.add("a table of another layout", other, get("/api/activities/@andrewbrown")).await;
    assert_snapshot("errors.txt", responses.0.trim_start());
}

/// The token with an altered signature.
fn altered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    format!("Bearer {signed}.{other}{}", &signature[1..])
}

async fn corrupt(app: &TestApp) {
    let mut broken = user(1, ANDREW, "andrewbrown", "Andrew Brown");
    broken.bio = "x".to_owned();
    let key = cruddur::store::keys::profile(&broken.sub);
    let text = |text: String| AttributeValue::S(text);
    let update = app.client.update_item().table_name(TABLE).key("pk", text(key.pk)).key("sk", text(key.sk));
    update
        .update_expression("SET bio = :x")
        .expression_attribute_values(":x", AttributeValue::Bool(true))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn error_in_a_trace_has_the_trace_id() {
    let app = TestApp::new().await;
    let spans = Spans::new(&Settings::from_lookup(|_| None));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    let answer = answer(spans.server(app.router()), get("/api/nothing-here")).await;
    let trace_id = answer.header("x-trace-id").unwrap();
    assert_eq!((&answer.body["code"], &answer.body["trace_id"]), (&json!("not_found"), &json!(trace_id)));
}

#[test]
fn every_error_code_is_in_the_snapshot() {
    let snapshot = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors.txt")).unwrap();
    for code in texts_in("ApiError", "status").iter().chain(&texts_in("Code", "as_str")) {
        assert!(snapshot.contains(&format!("{code}:")) || snapshot.contains(&format!("\"{code}\"")), "{code}");
    }
}
