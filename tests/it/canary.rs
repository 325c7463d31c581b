//! Secrets in every part of the input appear in no span, log line, metric or error body.
//!
//! The real binaries run at log level DEBUG, with both destinations and metrics.

use std::collections::BTreeSet;

use cruddur::clock::Clock;
use cruddur::domain::{DirectMessage, Id, Message, Post, PostDraft};
use cruddur::store::{self, Store};
use cruddur_local::dynamodb::TABLE;
use cruddur_local::issuer::Issuer;
use lambda_harness::{InvocationResult, Lambda};
use serde_json::{Map, Value, json};

use crate::lambda::{API, SIGNUP, Stack, event, sampled};
use crate::support::{SAMPLES, user};

const STREAM: &str = env!("CARGO_BIN_EXE_stream");
/// Every secret contains this word, in any case.
const CANARY: &str = "canary";
const SUB: &str = "canary-sub";
const NOWHERE: &str = "01a202e9-b47a-7000-8000-0000000000ff";

/// A request with secrets in every part.
struct Sent {
    route: String,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn sent(route: impl Into<String>, path: impl Into<String>) -> Sent {
    Sent { route: route.into(), path: path.into(), query: Vec::new(), headers: Vec::new(), body: String::new() }
}

impl Sent {
    fn body(self, body: impl ToString) -> Self {
        Self { body: body.to_string(), ..self }
    }

    fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The event that API Gateway passes to the function.
    fn event(&self, authorization: Option<&str>) -> String {
        let (method, resource) = self.route.split_once(' ').unwrap();
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Host", "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com".to_owned()),
            ("User-Agent", "curl/8.9.1".to_owned()),
            ("Cookie", "user.password=canary-cookie".to_owned()),
            ("Referer", "https://canary.example/canary-referer".to_owned()),
            ("X-Api-Key", "canary-api-key".to_owned()),
            ("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
            ("Tracestate", "canary=canary-tracestate".to_owned()),
            ("Baggage", "canary=canary-baggage".to_owned()),
            ("Accept", "application/json, canary/accept".to_owned()),
            ("Accept-Language", "canary-language".to_owned()),
            ("Origin", "https://canary-origin.example".to_owned()),
            ("X-Forwarded-For", "canary-client, 203.0.113.7".to_owned()),
        ];
        headers.extend(authorization.map(|value| ("Authorization", value.to_owned())));
        for (name, value) in &self.headers {
            headers.retain(|(known, _)| known != name);
            headers.push((name, value.clone()));
        }
        // A variable of API Gateway is a whole path segment.
        let resource = resource.replace("@{", "{");
        let mut variables = Map::from_iter([("canary".to_owned(), json!("canary-parameter"))]);
        for (at, name) in resource.split('/').enumerate().filter(|(_, segment)| segment.starts_with('{')) {
            let segments: Vec<_> = self.path.split('/').skip(at).collect();
            let value = if name.ends_with("+}") { segments.join("/") } else { segments[0].to_owned() };
            variables.insert(name.trim_matches(['{', '}', '+']).to_owned(), json!(value));
        }
        let lists = |pairs: &[(&str, String)]| -> Map<String, Value> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect()
        };
        let single = |pairs: &[(&str, String)]| -> Map<String, Value> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
        };
        json!({
            "resource": resource, "path": self.path, "httpMethod": method,
            "headers": single(&headers), "multiValueHeaders": lists(&headers),
            "queryStringParameters": single(&self.query), "multiValueQueryStringParameters": lists(&self.query),
            "pathParameters": variables, "stageVariables": { "canary": "canary-stage" },
            "requestContext": {
                "resourceId": "r", "resourcePath": resource, "httpMethod": method, "path": format!("/prod{}", self.path),
                "accountId": "123456789012", "protocol": "HTTP/1.1", "stage": "prod", "requestId": "r", "apiId": "a",
                "identity": { "sourceIp": "203.0.113.7", "userAgent": "curl/8.9.1", "user": "canary-identity" },
                "authorizer": { "claims": { "email": "canary@example.com" } },
            },
            "body": self.body, "isBase64Encoded": false,
        })
        .to_string()
    }
}

/// Special requests, and valid and invalid ones to every route. Each sample uses a separate post of `posts`.
fn all(posts: &[String]) -> Vec<Sent> {
    let text = "canary-message @canary_mention";
    let mut all = vec![
        sent("GET /api/health-check", "/api/health-check").query("deep", "canary-deep"),
        sent("GET /api/activities/@{handle}", "/api/activities/%40canary%40example.com"),
        sent("GET /api/messages/{message_group_uuid}", "/api/messages/@canary_nobody"),
        sent("POST /api/messages", "/api/messages").body(json!({ "message": text, "handle": "canary_other" })),
        sent("POST /api/messages", "/api/messages").body(json!({ "message": text, "handle": "canary_nobody" })),
        sent("GET /api/nothing/{proxy+}", "/api/nothing/canary-path/canary@example.com"),
        sent("PATCH /api/activities/{activity_uuid}", "/api/activities/canary-activity"),
        sent("OPTIONS /api/activities/{activity_uuid}", "/api/activities/canary-activity")
            .header("Access-Control-Request-Method", "canary")
            .header("Access-Control-Request-Headers", "canary-header"),
    ];
    for (sample, post) in SAMPLES.routes.iter().zip(posts) {
        let group = SAMPLES.parameters["message_group_uuid"].as_str();
        let mut targets = [
            ["canary-activity", "canary-group", "canary@example.com"],
            [NOWHERE, NOWHERE, "canary_nobody"],
            [post, group, "canary_handle"],
        ]
        .map(|[post, group, handle]| {
            let values = [("activity_uuid", post), ("message_group_uuid", group), ("handle", handle)];
            (sample.path_with(&values), sample.body_with(&values))
        })
        .to_vec();
        targets.dedup();
        for (path, body) in &targets {
            let plain = || {
                sample.headers.iter().fold(sent(sample.route(), path), |sent, (name, value)| sent.header(name, value))
            };
            let valid = || sample.query.iter().fold(plain(), |sent, (name, value)| sent.query(name, value));
            if let Some(body) = body {
                all.extend(with_bodies(valid, &serde_json::from_str(body).unwrap()));
                continue;
            }
            all.extend([plain().body("canary-body"), valid()]);
            for name in ["canary-name", "cursor", "limit"].into_iter().chain(sample.query.keys().map(String::as_str)) {
                all.extend([valid().query(name, "canary-value"), valid().query(name, &"canary ".repeat(50))]);
            }
        }
    }
    all
}

/// Requests with a valid body, invalid bodies, and valid and invalid values of each field.
fn with_bodies(to: impl Fn() -> Sent, good: &Value) -> Vec<Sent> {
    let mut all = vec![
        to().body(good),
        to().body(good).header("Idempotency-Key", "canary-key"),
        to().body(good).header("Idempotency-Key", "canary key"),
        to().body(good).header("Content-Type", "text/canary"),
        to().body("{\"message\": \"canary-broken"),
        to().body("\"canary-text\""),
        to().body(json!(["canary-list"])),
    ];
    for name in good.as_object().unwrap().keys() {
        for value in [
            json!("canary\u{0}"),
            json!("canary ".repeat(1_000)),
            json!(["canary"]),
            json!({ "canary": "canary" }),
            json!("canary-word"),
            json!("canary-message @canary_mention"),
        ] {
            all.push(to().body(with(good, name, value)));
        }
        // Reuses the key with another body.
        all.push(to().body(with(good, name, json!("canary-other"))).header("Idempotency-Key", "canary-key"));
    }
    all
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

/// Tokens with secrets in optional claims; the first one is valid.
fn tokens(issuer: &Issuer) -> Vec<String> {
    let mut claims = Issuer::claims(SUB, Clock::system().now());
    for name in ["username", "email", "name", "cognito:username", "phone_number", "jti", "device_key"] {
        claims[name] = json!(format!("canary-{name}"));
    }
    let header = json!({ "alg": "RS256", "kid": issuer.kid() });
    let bearer = |header: &Value, claims: &Value| format!("Bearer {}", issuer.sign(header, claims).unwrap());
    vec![
        bearer(&header, &claims),
        bearer(&with(&header, "kid", json!("canary-kid")), &claims),
        bearer(&header, &with(&claims, "iss", json!("https://canary-issuer"))),
        bearer(&header, &with(&claims, "client_id", json!("canary-client"))),
        bearer(&header, &with(&claims, "exp", json!(1))),
        "Bearer canary.token.canary".to_owned(),
        "Basic Y2FuYXJ5OmNhbmFyeQ==canary".to_owned(),
        "canary".to_owned(),
    ]
}

/// Creates two users, their conversation and a post for each sample, with secrets; returns the ids of the posts.
async fn world(stack: &Stack) -> Vec<String> {
    let store = Store::new(store::client(&cruddur_local::aws::sdk_config(stack.aws.endpoint())), TABLE);
    let clock = Clock::system();
    let mut me = user(901, SUB, "canary_handle", "Canary Name");
    me.bio = "canary-bio".to_owned();
    let other = user(902, "canary-other-sub", "canary_other", "Canary Other");
    store.create_profile(&me).await.unwrap();
    store.create_profile(&other).await.unwrap();
    let message = Message::direct("canary-direct").unwrap();
    let conversation = Id::parse(&SAMPLES.parameters["message_group_uuid"]).unwrap();
    let first = DirectMessage { id: clock.new_id(), conversation, sender: me.author.user_uuid, message };
    store.open_conversation(&me, &other, &first, None).await.unwrap();
    let mut posts = Vec::new();
    for _ in &SAMPLES.routes {
        let draft = PostDraft::parse("canary-post for @canary_other", "7-days").unwrap();
        let post = Post::new(clock.new_id(), me.author.clone(), draft);
        store.create_post(&me, &post, None).await.unwrap();
        posts.push(post.id.to_string());
    }
    posts
}

fn environment(stack: &Stack) -> Vec<(&'static str, String)> {
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.push(("RUST_LOG", "debug".to_owned()));
    environment.push(("LAMBDA_SPANS_METRICS_NAMESPACE", "Cruddur".to_owned()));
    environment.push(("ALLOWED_ORIGINS", "http://localhost:3000".to_owned()));
    environment.push(("BROWSER_TRACES", "on".to_owned()));
    environment.push(("LAMBDA_SPANS_XRAY_ANNOTATIONS", "app.user_id,app.result_length".to_owned()));
    environment
}

/// The environment of a function whose table does not exist.
fn without_table(environment: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut environment = environment.to_vec();
    environment.retain(|(name, _)| *name != "TABLE_NAME");
    environment.push(("TABLE_NAME", "absent".to_owned()));
    environment
}

/// The text around the first secret.
fn found(text: &str) -> Option<String> {
    let at = text.to_ascii_lowercase().find(CANARY)?;
    let around: Vec<char> = text[..at].chars().rev().take(300).collect();
    let before: String = around.into_iter().rev().collect();
    Some(before + &text[at..].chars().take(200).collect::<String>())
}

fn status(answer: &InvocationResult) -> u64 {
    assert!(answer.success, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).unwrap()["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn api_leaks_no_request_data_to_telemetry_or_errors() {
    let stack = Stack::start().await;
    let requests = all(&world(&stack).await);
    let environment = environment(&stack);
    let mut lambda = Lambda::start(API, &environment).await;
    let mut broken = Lambda::start(API, &without_table(&environment)).await;
    let tokens = tokens(stack.aws.issuer());
    let (mut seen, mut good, mut statuses, mut sends) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), 0);
    for sent in &requests {
        // Every request uses the valid token; invalid tokens and none are tried once for each route.
        let first = seen.insert(sent.route.as_str());
        let others = tokens.iter().skip(1).map(|token| Some(token.as_str())).chain([None]);
        let authorizations = std::iter::once(Some(tokens[0].as_str())).chain(others.filter(|_| first));
        for (turn, authorization) in authorizations.enumerate() {
            let payload = sent.event(authorization);
            assert!(found(&payload).is_some());
            let answer = lambda.invoke(event(&payload, sends + 1, &sampled())).await;
            sends += 1;
            let status = status(&answer);
            statuses.insert(status);
            assert!(!answer.body.contains("-sub") && !answer.body.contains("canary-email"), "{}", answer.body);
            if status < 400 {
                good.insert(sent.route.as_str());
            } else {
                assert_eq!(found(&answer.body), None, "response {status} to {} {}", sent.route, sent.body);
            }
            if turn == 0 {
                let failed = broken.invoke(event(&payload, 10_000 + sends, &sampled())).await;
                assert!(failed.success);
                if serde_json::from_str::<Value>(&failed.body).unwrap()["statusCode"].as_u64().unwrap() >= 400 {
                    assert_eq!(found(&failed.body), None, "failed {}", sent.route);
                }
            }
        }
    }
    for sample in &SAMPLES.routes {
        assert!(good.contains(sample.route().as_str()), "{} gets no valid request", sample.route());
    }
    let expected = [200, 400, 401, 404, 405, 415, 422];
    assert!(expected.iter().all(|status| statuses.contains(status)), "{statuses:?}");

    lambda.wait_until_frozen().await;
    broken.wait_until_frozen().await;
    let (_, log) = lambda.terminate().await;
    let (_, broken_log) = broken.terminate().await;
    assert_eq!(found(&log), None, "log");
    assert_eq!(found(&broken_log), None, "log of the function without a table");
    assert!(
        log.contains("\"level\":\"DEBUG\"") && log.contains("\"_aws\""),
        "the log contains debug lines and metrics"
    );
    assert!(broken_log.contains("\"level\":\"ERROR\""));
    let spans = stack.otlp.collected().spans;
    assert!(spans.len() > 10 * seen.len());
    for (resource, span) in &spans {
        assert_eq!(found(&format!("{resource:?} {span:?}")), None, "span {}", span.name);
    }
    let documents = stack.xray.take().await;
    assert!(documents.len() > 10 * seen.len());
    for document in &documents {
        assert_eq!(found(&document.to_string()), None, "X-Ray document {}", document["name"]);
    }
}

#[tokio::test]
async fn user_agent_is_only_in_its_attribute() {
    let stack = Stack::start().await;
    let mut lambda = Lambda::start(API, &environment(&stack)).await;
    let sent = sent("GET /api/activities/home", "/api/activities/home").header("User-Agent", "parrot/1.0");
    assert_eq!(status(&lambda.invoke(event(&sent.event(None), 1, &sampled())).await), 200);
    lambda.wait_until_frozen().await;
    let (_, log) = lambda.terminate().await;
    assert!(!log.contains("parrot"), "{log}");
    for (_, mut span) in stack.otlp.collected().spans {
        span.attributes.retain(|attribute| attribute.key != "user_agent.original");
        assert!(!format!("{span:?}").contains("parrot"), "{span:?}");
    }
}

#[tokio::test]
async fn signup_leaks_no_account_data_to_telemetry_or_errors() {
    let stack = Stack::start().await;
    let mut environment = environment(&stack);
    environment.retain(|(name, _)| !["SECRET_ARN", "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID"].contains(name));
    let lambda = Lambda::start(SIGNUP, &environment).await;
    let broken = Lambda::start(SIGNUP, &without_table(&environment)).await;
    let account = json!({
        "version": "1", "triggerSource": "PostConfirmation_ConfirmSignUp", "region": "ca-central-1",
        "userPoolId": "ca-central-1_A1b2C3d4E", "userName": "canary-user-name",
        "callerContext": { "awsSdkVersion": "canary-sdk", "clientId": "canary-client" },
        "request": {
            "userAttributes": {
                "sub": "canary-new-sub", "email": "canary@example.com", "name": "Canary Name",
                "preferred_username": "canary_wish", "phone_number": "canary-phone", "custom:x": "canary-custom",
            },
            "clientMetadata": { "canary": "canary-metadata" },
        },
        "response": {},
    });
    let mut sends = 0;
    for (name, value) in [
        ("version", json!("1")),
        ("triggerSource", json!("PostAuthentication_Authentication")),
        ("triggerSource", Value::Null),
        ("request", json!({ "userAttributes": "canary" })),
        ("request", json!({ "userAttributes": { "sub": "", "email": "canary@example.com" } })),
    ] {
        for lambda in [&lambda, &broken] {
            sends += 1;
            let payload = with(&account, name, value.clone()).to_string();
            let answer = lambda.invoke(event(&payload, sends, &sampled())).await;
            // A success returns Cognito's own event; Cognito shows an error to the user.
            assert!(answer.success || found(&answer.body).is_none(), "{}", answer.body);
        }
    }
    let (traces, log) = telemetry_without_secrets(&stack, lambda, broken).await;
    assert!(traces.contains("create-profile") && log.contains("\"_aws\""));
}

/// Ends the functions and asserts that their telemetry contains no secret. Returns the traces and the first log.
async fn telemetry_without_secrets(stack: &Stack, mut lambda: Lambda, mut broken: Lambda) -> (String, String) {
    lambda.wait_until_frozen().await;
    broken.wait_until_frozen().await;
    let traces = format!("{:?} {:?}", stack.otlp.collected().spans, stack.xray.take().await);
    let (_, log) = lambda.terminate().await;
    let (_, broken_log) = broken.terminate().await;
    for text in [&traces, &log, &broken_log] {
        assert_eq!(found(text), None);
    }
    (traces, log)
}

#[tokio::test]
async fn stream_leaks_no_item_data_to_telemetry_or_responses() {
    let stack = Stack::start().await;
    let mut environment = environment(&stack);
    environment
        .retain(|(name, _)| !["SECRET_ARN", "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID", "JWKS_URL"].contains(name));
    let lambda = Lambda::start(STREAM, &environment).await;
    let broken = Lambda::start(STREAM, &without_table(&environment)).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events/stream");
    let read = std::fs::read_to_string(format!("{folder}/post_with_mention.json")).unwrap();
    let good: Value = serde_json::from_str(&read).unwrap();
    let image = good["Records"][0]["dynamodb"]["NewImage"].clone();
    let mut events = Vec::new();
    let texts = [
        ("message", "canary-message @canary_mention"),
        ("handle", "canary_handle"),
        ("display_name", "Canary Name"),
        ("author_sub", "canary-sub"),
    ];
    let mut secret = image;
    for (name, text) in texts {
        secret[name]["S"] = json!(text);
    }
    let whole = |image: &Value| {
        let mut event = good.clone();
        event["Records"][0]["dynamodb"]["NewImage"] = image.clone();
        event
    };
    events.push(whole(&secret));
    // Each attribute with an invalid type.
    for name in secret.as_object().unwrap().keys() {
        events.push(whole(&with(&secret, name, json!({ "L": [{ "S": "canary-list" }] }))));
        events.push(whole(&with(&secret, name, json!({ "S": "Canary of the wrong form" }))));
    }
    for (number, payload) in events.iter().enumerate() {
        for (lambda, trace) in [(&lambda, number + 1), (&broken, 1_000 + number)] {
            let answer = lambda.invoke(event(&payload.to_string(), trace, &sampled())).await;
            assert_eq!(found(&answer.body), None);
        }
    }
    let (traces, log) = telemetry_without_secrets(&stack, lambda, broken).await;
    assert!(traces.contains("index-words") && log.contains("unreadable"));
}
