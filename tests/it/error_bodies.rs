//! Every error as a client gets it, beside `tests/errors.txt`.

use std::collections::BTreeSet;
use std::fs;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use cruddur::api::{self, AppState, Deadline, Identity};
use cruddur::clock::Clock;
use jiff::SignedDuration;
use lambda_spans::{Settings, Spans};
use local::issuer::Issuer;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::outage::app_with_dynamodb_that_says;
use crate::support::{
    ANDREW, ISSUER, TABLE, TestApp, answer, assert_snapshot, at, hours, numbered, request, signed_in, token, user,
};

const CREATE: &str = "/api/activities";

/// The answers so far.
#[derive(Default)]
struct Told(String);

impl Told {
    async fn add(&mut self, title: &str, router: Router, request: Request<Body>) {
        let answer = answer(router, request).await;
        assert!(answer.status >= 400, "{title}: {}", answer.status);
        let code = answer.body["code"].as_str().unwrap_or("invalid");
        self.0.push_str(&format!("\n## {} {code}: {title}\n\n", answer.status));
        for name in ["content-type", "allow", "retry-after", "www-authenticate"] {
            if let Some(value) = answer.header(name) {
                self.0.push_str(&format!("{name}: {value}\n"));
            }
        }
        self.0.push_str(&format!("\n{}\n", serde_json::to_string_pretty(&answer.body).unwrap()));
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
async fn every_error_has_the_body_that_is_written_down() {
    let mut told = Told::default();
    let app = TestApp::new().await;
    let router = || app.router();

    for (title, body) in [
        ("a body that ends too early", "{"),
        ("a field that there is not", r#"{"message": "x", "text": "y"}"#),
        ("a field of another type", r#"{"message": 5, "ttl": "1-day"}"#),
        ("a text instead of an object", r#""x""#),
        ("something behind the object", "{} {}"),
    ] {
        told.add(title, router(), post(body)).await;
    }
    told.add("a path of broken UTF-8", router(), get("/api/activities/%ff")).await;
    told.add("a limit out of bounds", router(), get("/api/activities/home?limit=101")).await;
    told.add("a limit that is no number", router(), get("/api/activities/home?limit=ten")).await;
    told.add("a limit twice", router(), get("/api/activities/home?limit=1&limit=2")).await;
    for (title, key) in [("a key with a space", "a b"), ("a long key", &*"k".repeat(256)), ("an empty key", "")] {
        told.add(title, router(), with(post(GOOD), "idempotency-key", key)).await;
    }
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    let elsewhere = r#"{"message": "y", "activity_uuid": "z"}"#;
    let to_parent = format!("/api/activities/{parent}/reply");
    told.add("a reply to another post than the path's", router(), as_andrew("POST", &to_parent, elsewhere)).await;

    told.add("a cursor that is none", router(), get("/api/activities/home?cursor=x")).await;
    for number in 2..4 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    let next = app.get("/api/activities/home?limit=1").await.next().unwrap();
    told.add("a cursor of another route", router(), get(&format!("/api/activities/@andrewbrown{next}"))).await;
    let late = TestApp::on(app.client.clone());
    late.pass(SignedDuration::from_hours(25));
    told.add("a cursor of yesterday", late.router(), get(&format!("/api/activities/home{next}"))).await;

    let anonymous = || request("POST", CREATE).body(Body::empty()).unwrap();
    told.add("nobody signed in", router(), anonymous()).await;
    let claims = |name: &str, value: Value| {
        let mut claims = Issuer::claims(ANDREW, at("2026-11-22T11:30:00Z"));
        claims[name] = value;
        let header = json!({ "alg": "RS256", "kid": ISSUER.kid() });
        format!("Bearer {}", ISSUER.sign(&header, &claims).unwrap())
    };
    for (title, value) in [
        ("a token that is none", "Bearer x".to_owned()),
        ("a token of others", claims("client_id", json!("another"))),
        ("an expired token", claims("exp", json!(1))),
        ("a token of the future", claims("nbf", json!(4_000_000_000_u64))),
        ("a token with a signature of another", altered(&token(ANDREW))),
    ] {
        told.add(title, router(), with(anonymous(), "authorization", &value)).await;
    }
    let keyless = Identity::tokens(Issuer::pool(), async || Err("no key server".into()));
    let keyless = api::router(AppState { identity: keyless, ..app.state.clone() });
    told.add("no key of the user pool", keyless, post(GOOD)).await;

    told.add(
        "a user without a profile",
        router(),
        signed_in(with(anonymous(), "content-type", "application/json"), "x"),
    )
    .await;
    let profileless =
        request("POST", CREATE).header("content-type", "application/json").body(Body::from(GOOD)).unwrap();
    told.add("a user without a profile posts", router(), signed_in(profileless, "x")).await;
    let delete = request("DELETE", &format!("/api/activities/{parent}")).body(Body::empty()).unwrap();
    told.add("another's post is deleted", router(), signed_in(delete, "demo-worf")).await;

    told.add("a route that there is not", router(), get("/api/nothing-here")).await;
    told.add("a post that there is not", router(), get("/api/activities/x")).await;
    told.add("a user whom there is not", router(), get("/api/activities/@nobody")).await;
    let to_nobody = r#"{"message": "x", "handle": "nobody"}"#;
    told.add("a message to nobody", router(), as_andrew("POST", "/api/messages", to_nobody)).await;
    told.add("a conversation that there is not", router(), as_andrew("GET", "/api/messages/x", "")).await;
    told.add("a method that the route does not take", router(), request("PATCH", CREATE).body(Body::empty()).unwrap())
        .await;
    told.add("a body that is too long", router(), post(&"x".repeat(65_537))).await;
    told.add("a body of another type", router(), with(post(GOOD), "content-type", "text/plain")).await;
    told.add("a body of a type of its own", router(), with(post(GOOD), "content-type", "secret/x")).await;

    told.add("two broken rules", router(), post("{}")).await;
    told.add(
        "the same for who asks for problem details",
        router(),
        with(post("{}"), "accept", "application/problem+json"),
    )
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
        ("a message of nothing to nobody", "POST", "/api/messages", json!({ "handle": "" })),
        ("a message to no conversation", "POST", "/api/messages", json!({ "message": "x", "message_group_uuid": "" })),
        ("a message to oneself", "POST", "/api/messages", json!({ "message": "x", "handle": "andrewbrown" })),
    ] {
        told.add(title, router(), as_andrew(method, path, body.to_string())).await;
    }
    told.add("no term", router(), get("/api/activities/search")).await;
    told.add("a long term", router(), get(&format!("/api/activities/search?term={}", "x".repeat(281)))).await;

    app.send(with(post(GOOD), "idempotency-key", "k")).await;
    let other = r#"{"message": "y", "ttl": "1-day"}"#;
    told.add("a body that is packed", router(), with(post(other), "content-encoding", "gzip")).await;
    told.add("a key for another body", router(), with(post(other), "idempotency-key", "k")).await;

    let always = Clock::new(|| at("2026-11-22T12:00:00.250Z"), |at| numbered(at, 77));
    let same_id = api::router(AppState { clock: always, ..app.state.clone() });
    answer(same_id.clone(), post(GOOD)).await;
    told.add("an id that is taken", same_id, post(other)).await;

    let panics = Clock::new(|| panic!("on purpose"), |at| numbered(at, 0));
    let panics = api::router(AppState { clock: panics, ..app.state.clone() });
    told.add("a fault of ours", panics, get("/api/activities/home")).await;
    let mut late = get("/api/activities/home");
    late.extensions_mut().insert(Deadline(app.now() + SignedDuration::from_millis(1)));
    told.add("no time left", router(), late).await;

    for (title, status, error) in [
        ("too much to do", StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException"),
        ("the database fails", StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        ("the database forbids", StatusCode::BAD_REQUEST, "AccessDeniedException"),
    ] {
        let broken = app_with_dynamodb_that_says(status, error).await;
        told.add(title, broken.router(), get("/api/activities/home")).await;
    }
    let broken = app_with_dynamodb_that_says(StatusCode::BAD_REQUEST, "AccessDeniedException").await;
    told.add("the deep health check of a broken database", broken.router(), get("/api/health-check?deep")).await;
    corrupt(&app).await;
    told.add("an item of another form", router(), get("/api/activities/@andrewbrown")).await;
    assert_snapshot("errors.txt", told.0.trim_start());
}

/// The token with one character of the signature changed.
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
async fn an_error_in_a_trace_names_it_and_is_else_the_same() {
    let app = TestApp::new().await;
    let spans = Spans::new(&Settings::from_lookup(|_| None).unwrap()).unwrap();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    let answer = answer(spans.server(app.router()), get("/api/nothing-here")).await;
    let trace_id = answer.header("x-trace-id").unwrap();
    let expected = json!({
        "type": "about:blank", "title": "Not Found", "status": 404, "detail": "There is no such route.",
        "code": "not_found", "trace_id": trace_id,
    });
    assert_eq!(answer.body, expected);
}

/// The words in quotes of the source, from the line with `begin` on to the first one that is `end`.
fn words(file: &str, begin: &str, end: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let lines = source.lines().skip_while(|line| !line.contains(begin)).take_while(|line| *line != end);
    lines.filter_map(|line| Some(line.rsplit_once('"')?.0.rsplit_once('"')?.1.to_owned())).collect()
}

#[test]
fn every_code_that_there_is_is_in_an_error_that_is_written_down() {
    let written = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors.txt")).unwrap();
    let errors = words("src/api/error.rs", "fn status(", "    }");
    assert!(errors.len() >= 21, "{errors:?}");
    for code in errors {
        let found = written.lines().any(|line| line.starts_with("## ") && line.contains(&format!(" {code}: ")));
        assert!(found, "{code} is not in tests/errors.txt");
    }
    let rules = words("src/domain/invalid.rs", "fn as_str(", "    }");
    assert!(rules.len() >= 15, "{rules:?}");
    for rule in rules {
        assert!(written.contains(&format!("\"{rule}\"")), "{rule} is not in tests/errors.txt");
    }
}
