//! The real `api` binary in a Lambda that freezes it, with both destinations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::domain::{Post, PostDraft};
use cruddur::store::{self, Store};
use cruddur_local::dynamodb::TABLE;
use cruddur_local::issuer::{self, Issuer};
use cruddur_local::local_server::LocalServer;
use cruddur_local::options::Options;
use cruddur_local::seed::ANDREW;
use lambda_harness::{Event, InvocationResult, Lambda, OtlpReceiver, XrayDaemon};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const API: &str = env!("CARGO_BIN_EXE_api");
pub(crate) const SIGNUP: &str = env!("CARGO_BIN_EXE_signup");
const CONFIRM: &str = include_str!("../../events/signup/confirm.json");
const HOME: &str = include_str!("../../events/api/home.json");
const HEALTH_CHECK: &str = include_str!("../../events/api/health_check.json");
const CREATE: &str = include_str!("../../events/api/create.json");
const PARENT: &str = "53995c3f42cd8ad8";

/// A local AWS and the two destinations.
pub(crate) struct Stack {
    _folder: TempDir,
    pub(crate) aws: LocalServer,
    pub(crate) xray: XrayDaemon,
    pub(crate) otlp: OtlpReceiver,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let options = Options::on_free_ports(folder.path().join("data"));
        let aws = LocalServer::start(&options, Clock::system(), None, None).await.unwrap();
        Self { _folder: folder, aws, xray: XrayDaemon::start().await, otlp: OtlpReceiver::start().await }
    }

    /// The variables of the deployed function; `otlp` is its OTLP endpoint.
    pub(crate) fn environment(&self, otlp: String) -> Vec<(&'static str, String)> {
        vec![
            ("TABLE_NAME", TABLE.to_owned()),
            ("SECRET_ARN", "local".to_owned()),
            ("COGNITO_USER_POOL_ID", issuer::USER_POOL_ID.to_owned()),
            ("COGNITO_CLIENT_ID", issuer::CLIENT_ID.to_owned()),
            ("JWKS_URL", format!("http://{}{}", self.aws.endpoint(), Issuer::key_set_path())),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.aws.endpoint())),
            ("AWS_XRAY_DAEMON_ADDRESS", self.xray.address()),
            ("OTEL_SERVICE_NAME", "backend".to_owned()),
            ("LAMBDA_SPANS_EXCEPTION_MESSAGE", "none".to_owned()),
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp),
        ]
    }

    /// Creates enough posts to fill the page in the first round of queries.
    async fn fill_a_page(&self) {
        let store = Store::new(store::client(&cruddur_local::aws::sdk_config(self.aws.endpoint())), TABLE);
        let andrew = store.profile(&ANDREW.sub()).await.unwrap().unwrap();
        let clock = Clock::system();
        for _ in 0..20 {
            let draft = PostDraft::parse("Who likes pineapple on their pizza?", "7-days").unwrap();
            store.create_post(&andrew, &Post::new(clock.new_id(), andrew.author.clone(), draft), None).await.unwrap();
        }
    }

    async fn function(&self) -> Lambda {
        Lambda::start(API, &self.environment(self.otlp.endpoint())).await
    }
}

/// The event of the nth invocation, with a separate trace.
pub(crate) fn event(payload: &str, n: usize, decision: &str) -> Event {
    Event {
        payload: payload.to_owned(),
        trace_header: format!("Root={}{decision}", xray_id(n)),
        timeout: Duration::from_secs(10),
    }
}

fn xray_id(n: usize) -> String {
    format!("1-6925a400-{n:024x}")
}

fn trace_id(n: usize) -> String {
    format!("6925a400{n:024x}")
}

pub(crate) fn sampled() -> String {
    format!(";Parent={PARENT};Sampled=1;Lineage=1:a87bd80c:0")
}

fn status(answer: &InvocationResult) -> u64 {
    assert!(answer.success, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["statusCode"].as_u64().unwrap()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Each trace's spans with their parents, which must be equal in both destinations.
type Trees = BTreeMap<String, BTreeMap<String, Option<String>>>;

fn otlp_trees(otlp: &OtlpReceiver) -> Trees {
    let mut trees = Trees::new();
    for (_, span) in otlp.collected().spans {
        let parent = Some(hex(&span.parent_span_id)).filter(|id| !id.is_empty());
        let twice = trees.entry(hex(&span.trace_id)).or_default().insert(hex(&span.span_id), parent);
        assert!(twice.is_none(), "{} arrived twice", span.name);
    }
    trees
}

async fn xray_trees(xray: &XrayDaemon) -> Trees {
    let text = |document: &Value, key: &str| document[key].as_str().map(str::to_owned);
    let mut trees = Trees::new();
    for document in xray.take().await {
        let trace = text(&document, "trace_id").unwrap().replacen("1-", "", 1).replace('-', "");
        let twice =
            trees.entry(trace).or_default().insert(text(&document, "id").unwrap(), text(&document, "parent_id"));
        assert!(twice.is_none(), "{document} arrived twice");
    }
    trees
}

/// Asserts that a trace has one root and that it contains every other span's parent.
fn root(tree: &BTreeMap<String, Option<String>>, above: Option<&str>) -> String {
    let ids: BTreeSet<&String> = tree.keys().collect();
    let is_root = |parent: &Option<String>| parent.as_ref().is_none_or(|parent| !ids.contains(parent));
    let roots: Vec<_> = tree.iter().filter(|(_, parent)| is_root(parent)).collect();
    assert_eq!(roots.len(), 1, "{tree:?}");
    assert_eq!(roots[0].1.as_deref(), above);
    roots[0].0.clone()
}

#[tokio::test]
async fn frozen_function_exports_500_complete_traces() {
    let stack = Stack::start().await;
    stack.fill_a_page().await;
    // By default, the last spans of a burst are exported when Lambda ends the process.
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.retain(|(name, _)| *name != "LAMBDA_SPANS_FLUSH");
    let mut lambda = Lambda::start(API, &environment).await;
    for n in 1..=500 {
        let answer = lambda.invoke(event(HOME, n, &sampled())).await;
        assert_eq!(status(&answer), 200);
    }
    lambda.wait_until_frozen().await;
    let (ended, _) = lambda.terminate().await;
    assert!(ended.success());

    let (in_xray, in_otlp) = (xray_trees(&stack.xray).await, otlp_trees(&stack.otlp));
    let invoked: Vec<String> = (1..=500).map(trace_id).collect();
    assert_eq!(in_otlp.keys().cloned().collect::<Vec<_>>(), invoked);
    assert_eq!(in_xray.keys().cloned().collect::<Vec<_>>(), invoked);
    for trace in &invoked {
        let (xray, otlp) = (&in_xray[trace], &in_otlp[trace]);
        assert_eq!(root(xray, Some(PARENT)), root(otlp, None));
        assert!(xray.keys().eq(otlp.keys()), "the destinations got different spans");
        // The invocation, `home-activities`, and one query, unless the page was kept. The first trace also has the init
        // phase, which reads the table and the key set.
        let expected: &[usize] = if *trace == trace_id(1) { &[6] } else { &[2, 3] };
        assert!(expected.contains(&otlp.len()), "{trace}: {}", otlp.len());
    }
}

/// The traces out of 32 that OTLP receives from a function that samples one in two.
async fn chosen() -> BTreeSet<String> {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.push(("LAMBDA_SPANS_SAMPLE_RATE", "2".to_owned()));
    let mut lambda = Lambda::start(API, &environment).await;
    for n in 1..=32 {
        assert_eq!(status(&lambda.invoke(event(HEALTH_CHECK, n, &sampled())).await), 200);
    }
    lambda.wait_until_frozen().await;
    lambda.terminate().await;
    otlp_trees(&stack.otlp).into_keys().collect()
}

#[tokio::test]
async fn sampling_cannot_be_predicted_from_trace_ids() {
    // The trace ids are equal; only the master secrets differ.
    let (one, other) = (chosen().await, chosen().await);
    assert!((1..32).contains(&one.len()) && (1..32).contains(&other.len()), "{one:?} {other:?}");
    assert_ne!(one, other);
}

#[tokio::test]
async fn missing_trace_context_is_a_trace_in_otlp_only() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    let none = Event { trace_header: String::new(), ..event(HOME, 1, "") };
    assert_eq!(status(&lambda.invoke(none).await), 200);
    lambda.wait_until_frozen().await;
    let (in_xray, in_otlp) = (xray_trees(&stack.xray).await, otlp_trees(&stack.otlp));
    assert_eq!((in_xray.len(), in_otlp.len()), (0, 1));
    in_otlp.values().for_each(|tree| drop(root(tree, None)));
    lambda.terminate().await;
}

#[tokio::test]
async fn home_trace_has_its_expected_spans() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    let answer = lambda.invoke(event(HOME, 1, &sampled())).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["multiValueHeaders"]["x-trace-id"][0], trace_id(1));
    lambda.wait_until_frozen().await;

    let spans = stack.otlp.collected().spans;
    let named = |name: &str| spans.iter().filter(|(_, span)| span.name == name).collect::<Vec<_>>();
    let [(resource, invocation)] = named("GET /api/activities/home")[..] else { panic!("one root") };
    let resource: BTreeMap<_, _> = resource.iter().cloned().collect();
    for (key, value) in [
        ("service.name", "backend"),
        ("faas.name", "cruddur-api"),
        ("cloud.platform", "aws_lambda"),
        ("faas.max_memory", "268435456"),
    ] {
        assert_eq!(resource[key], value, "{key}");
    }
    for (key, value) in [
        ("http.route", "/api/activities/home"),
        ("url.path", "/prod/api/activities/home"),
        ("server.address", "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com"),
        ("faas.trigger", "http"),
        ("faas.coldstart", "true"),
        ("faas.invocation_id", "00000000-0000-4000-8000-000000000001"),
        ("cloud.account.id", "123456789012"),
        ("aws.lambda.invoked_arn", "arn:aws:lambda:us-east-1:123456789012:function:cruddur-api"),
    ] {
        assert_eq!(attribute(invocation, key).as_deref(), Some(value), "{key}");
    }
    let [(_, keys)] = named("GET")[..] else { panic!("one read of the key set") };
    let of_keys = |key| attribute(keys, key).unwrap();
    let server = format!("http://{}:{}/", of_keys("server.address"), of_keys("server.port"));
    assert!(of_keys("url.full").starts_with(&server), "{server}");
    let [(_, home)] = named("home-activities")[..] else { panic!("one home-activities") };
    assert_eq!(home.parent_span_id, invocation.span_id);
    // The demo posts do not fill a page, so that it spans both buckets.
    let queries = named("DynamoDB.Query");
    assert_eq!(queries.len(), 2, "{}", answer.body);
    assert!(queries.iter().all(|(_, query)| query.parent_span_id == home.span_id));
    lambda.terminate().await;
}

#[tokio::test]
async fn base_path_is_in_url_path_but_not_in_the_route() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    let feed = "GET /api/activities/@{handle}";
    let expected = [
        (include_str!("../../events/api/home_base_path.json"), "GET /api/activities/home", "/v1/api/activities/home"),
        (include_str!("../../events/api/user_feed_base_path.json"), feed, "/v1/api/activities/@REDACTED"),
        (include_str!("../../events/api/user_feed_sam_local.json"), feed, "/api/activities/@REDACTED"),
        (include_str!("../../events/api/user_feed.json"), feed, "/prod/api/activities/@REDACTED"),
    ];
    for (n, (payload, ..)) in (1..).zip(expected) {
        assert_eq!(status(&lambda.invoke(event(payload, n, &sampled())).await), 200);
    }
    lambda.wait_until_frozen().await;
    let spans = stack.otlp.collected().spans;
    let roots = spans.iter().filter_map(|(_, span)| {
        let route = attribute(span, "http.route")?;
        assert_eq!(span.name, format!("GET {route}"));
        Some((span.name.clone(), attribute(span, "url.path").unwrap()))
    });
    let expected = expected.map(|(_, name, path)| (name.to_owned(), path.to_owned()));
    assert_eq!(roots.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    lambda.terminate().await;
}

#[tokio::test]
async fn exports_are_compressed_and_warm_starts_marked() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    for n in 1..=2 {
        assert_eq!(status(&lambda.invoke(event(HOME, n, &sampled())).await), 200);
    }
    lambda.wait_until_frozen().await;
    let collected = stack.otlp.collected();
    assert!(collected.requests.iter().all(|headers| headers["content-encoding"] == "gzip"));
    assert!(collected.requests.iter().all(|headers| headers["content-type"] == "application/x-protobuf"));
    let roots = collected.spans.iter().filter(|(_, span)| span.parent_span_id.is_empty());
    let cold: Vec<_> = roots.map(|(_, span)| attribute(span, "faas.coldstart").unwrap()).collect();
    assert_eq!(cold, ["true", "false"]);
    lambda.terminate().await;
}

#[tokio::test]
async fn log_lines_carry_trace_span_and_request_ids() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.push(("RUST_LOG", "info".to_owned()));
    let lambda = Lambda::start(API, &environment).await;
    // The table does not exist, so the post fails and the error is logged.
    environment.retain(|(name, _)| *name != "TABLE_NAME");
    environment.push(("TABLE_NAME", "absent".to_owned()));
    let mut broken = Lambda::start(API, &environment).await;
    let token = stack.aws.issuer().access_token(&ANDREW.sub(), Clock::system().now()).unwrap();
    let create = CREATE.replace("ACCESS_TOKEN", &token);
    assert_eq!(status(&lambda.invoke(event(&create, 1, &sampled())).await), 200);
    let answer = broken.invoke(event(&create, 2, &sampled())).await;
    assert!(status(&answer) >= 500);
    broken.wait_until_frozen().await;

    let (_, log) = broken.terminate().await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["level"] == "ERROR" && line.get("trace_id").is_some()).expect(&log);
    assert_eq!(line["trace_id"], trace_id(2));
    assert_eq!(line["xray_trace_id"], xray_id(2));
    assert_eq!(line["requestId"], "00000000-0000-4000-8000-000000000001");
    assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
    lambda.terminate().await;
}

#[tokio::test]
async fn key_server_outage_leaves_public_routes_working() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    environment.push(("JWKS_URL", format!("http://{closed}/")));
    let mut lambda = Lambda::start(API, &environment).await;
    assert_eq!(status(&lambda.invoke(event(HOME, 1, &sampled())).await), 200);
    let token = stack.aws.issuer().access_token(&ANDREW.sub(), Clock::system().now()).unwrap();
    let create = CREATE.replace("ACCESS_TOKEN", &token);
    assert_eq!(status(&lambda.invoke(event(&create, 2, &sampled())).await), 503);
    lambda.wait_until_frozen().await;
    let (_, log) = lambda.terminate().await;
    assert!(log.contains("JWKS_URL"), "{log}");
}

#[tokio::test]
async fn signup_creates_a_profile_and_keeps_the_email_private() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.retain(|(name, _)| !["SECRET_ARN", "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID"].contains(name));
    environment.push(("RUST_LOG", "info".to_owned()));
    let mut lambda = Lambda::start(SIGNUP, &environment).await;
    let answer = lambda.invoke(event(CONFIRM, 1, &sampled())).await;
    assert!(answer.success, "{}", answer.body);
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(json(&answer.body), json(CONFIRM), "Cognito expects its own event");
    let store = Store::new(store::client(&cruddur_local::aws::sdk_config(stack.aws.endpoint())), TABLE);
    let made = store.profile("8c5d4578-1051-70a9-6e0a-2f1c9b3d4e5f").await.unwrap().unwrap();
    assert_eq!(made.author.handle.as_str(), "picard");

    environment.push(("TABLE_NAME", "absent".to_owned()));
    let mut broken = Lambda::start(SIGNUP, &environment).await;
    let refused = broken.invoke(event(CONFIRM, 2, &sampled())).await;
    assert!(!refused.success);
    lambda.wait_until_frozen().await;
    broken.wait_until_frozen().await;

    let spans = stack.otlp.collected().spans;
    let names: BTreeSet<&str> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
    for name in ["PostConfirmation_ConfirmSignUp", "create-profile", "DynamoDB.TransactWriteItems"] {
        assert!(names.contains(name), "{names:?}");
    }
    let (_, log) = lambda.terminate().await;
    let (_, broken_log) = broken.terminate().await;
    let output = format!("{spans:?}{log}{broken_log}{}{:?}", refused.body, stack.xray.take().await);
    for private in ["picard", "Picard", "8c5d4578"] {
        assert!(!output.contains(private), "{private} is in {output}");
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match &value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_) | Value::StringValueStrindex(_) => {
            format!("{value:?}")
        }
    })
}
