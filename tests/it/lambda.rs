//! The real `api` binary in a Lambda that freezes it, with both destinations beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::domain::{Post, PostDraft};
use cruddur::store::{self, Store};
use lambda_harness::{Answer, Event, Lambda, OtlpReceiver, XrayDaemon};
use local::issuer::{self, Issuer};
use local::options::Options;
use local::running::{Running, TABLE};
use local::seed::ANDREW;
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

/// AWS on this machine, and the function in it.
pub(crate) struct Stack {
    _folder: TempDir,
    pub(crate) aws: Running,
    pub(crate) xray: XrayDaemon,
    pub(crate) otlp: OtlpReceiver,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let options = Options::on_free_ports(folder.path().join("data"));
        let aws = Running::start(&options, Clock::system(), None).await.unwrap();
        Self { _folder: folder, aws, xray: XrayDaemon::start().await, otlp: OtlpReceiver::start().await }
    }

    /// The variables of the deployed function; `otlp` is where its spans go.
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
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp),
        ]
    }

    /// Enough posts for the first round of queries to be the only one.
    async fn fill_a_page(&self) {
        let store = Store::new(store::client(&local::aws::settings(self.aws.endpoint())), TABLE);
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

/// The n-th invocation's event, with a trace of its own.
pub(crate) fn event(payload: &str, n: usize, decision: &str) -> Event {
    Event {
        payload: payload.to_owned(),
        trace: format!("Root={}{decision}", xray_id(n)),
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

fn status(answer: &Answer) -> u64 {
    assert!(answer.success, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["statusCode"].as_u64().unwrap()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of each trace, as far as both destinations must agree: id to parent.
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

/// Every span's parent is a span of the same trace, but for the one root.
fn root(tree: &BTreeMap<String, Option<String>>, above: Option<&str>) -> String {
    let ids: BTreeSet<&String> = tree.keys().collect();
    let is_root = |parent: &Option<String>| parent.as_ref().is_none_or(|parent| !ids.contains(parent));
    let roots: Vec<_> = tree.iter().filter(|(_, parent)| is_root(parent)).collect();
    assert_eq!(roots.len(), 1, "{tree:?}");
    assert_eq!(roots[0].1.as_deref(), above);
    roots[0].0.clone()
}

#[tokio::test]
async fn of_500_invocations_of_a_frozen_process_500_traces_are_complete_in_both_destinations() {
    let stack = Stack::start().await;
    stack.fill_a_page().await;
    // With the default settings: the last spans of a burst leave when Lambda ends the process.
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.retain(|(name, _)| *name != "LAMBDA_SPANS_FLUSH");
    let mut lambda = Lambda::start(API, &environment).await;
    for n in 1..=500 {
        let answer = lambda.invoke(event(HOME, n, &sampled())).await;
        assert_eq!(status(&answer), 200);
    }
    lambda.frozen().await;
    let (ended, _) = lambda.terminate().await;
    assert!(ended.success());

    let (in_xray, in_otlp) = (xray_trees(&stack.xray).await, otlp_trees(&stack.otlp));
    let invoked: Vec<String> = (1..=500).map(trace_id).collect();
    assert_eq!(in_otlp.keys().cloned().collect::<Vec<_>>(), invoked);
    assert_eq!(in_xray.keys().cloned().collect::<Vec<_>>(), invoked);
    for trace in &invoked {
        let (xray, otlp) = (&in_xray[trace], &in_otlp[trace]);
        assert_eq!(root(xray, Some(PARENT)), root(otlp, None));
        assert!(xray.keys().eq(otlp.keys()), "the same spans in both");
        // The invocation, home-activities, and the queries of two buckets of four shards. In the first also the init
        // phase with a first call to the table and the reading of
        // the key set.
        assert_eq!(otlp.len(), if *trace == trace_id(1) { 13 } else { 10 }, "{trace}");
    }
}

/// Which of 32 traces OTLP got of a function that sends one in two.
async fn chosen() -> BTreeSet<String> {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.push(("LAMBDA_SPANS_SAMPLE_RATE", "2".to_owned()));
    let mut lambda = Lambda::start(API, &environment).await;
    for n in 1..=32 {
        assert_eq!(status(&lambda.invoke(event(HEALTH_CHECK, n, &sampled())).await), 200);
    }
    lambda.frozen().await;
    lambda.terminate().await;
    otlp_trees(&stack.otlp).into_keys().collect()
}

#[tokio::test]
async fn who_chooses_trace_ids_cannot_foresee_which_are_kept() {
    // Each has a master secret of its own, and the ids are the same.
    let (one, other) = (chosen().await, chosen().await);
    assert!((1..32).contains(&one.len()) && (1..32).contains(&other.len()), "{one:?} {other:?}");
    assert_ne!(one, other);
}

#[tokio::test]
async fn the_response_leaves_before_the_export_is_answered() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    stack.otlp.answer(false);
    let answer = lambda.invoke(event(HOME, 1, &sampled())).await;
    assert_eq!(status(&answer), 200);
    stack.otlp.arrived(1).await;
    // The export began after the response had arrived, and the function has not asked for more yet.
    assert!(stack.otlp.collected().first.unwrap() >= answer.at);
    stack.otlp.answer(true);
    lambda.frozen().await;
    lambda.terminate().await;
}

#[tokio::test]
async fn an_otlp_endpoint_that_is_dead_or_silent_changes_no_response_and_no_x_ray_trace() {
    let stack = Stack::start().await;
    // Nobody listens on a port that was free a moment ago; the other takes requests and never answers.
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    stack.otlp.answer(false);
    for (offset, endpoint) in [(0, format!("http://{refused}")), (100, stack.otlp.endpoint())] {
        let mut environment = stack.environment(endpoint);
        environment.push(("LAMBDA_SPANS_BUDGET_MS", "300".to_owned()));
        let mut lambda = Lambda::start(API, &environment).await;
        for n in offset + 1..=offset + 5 {
            assert_eq!(status(&lambda.invoke(event(HOME, n, &sampled())).await), 200);
        }
        lambda.frozen().await;
        let trees = xray_trees(&stack.xray).await;
        assert_eq!(trees.len(), 5);
        trees.values().for_each(|tree| drop(root(tree, Some(PARENT))));
        let (_, log) = lambda.terminate().await;
        assert_eq!(log.matches("spans could not be exported by OTLP").count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_dead_x_ray_daemon_changes_no_response_and_no_otlp_trace() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    environment.retain(|(name, _)| *name != "AWS_XRAY_DAEMON_ADDRESS");
    environment.push(("AWS_XRAY_DAEMON_ADDRESS", nobody.to_string()));
    let mut lambda = Lambda::start(API, &environment).await;
    for n in 1..=5 {
        assert_eq!(status(&lambda.invoke(event(HOME, n, &sampled())).await), 200);
    }
    lambda.frozen().await;
    assert_eq!(otlp_trees(&stack.otlp).len(), 5);
    lambda.terminate().await;
}

#[tokio::test]
async fn an_unsampled_trace_is_complete_in_otlp_and_absent_from_x_ray() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    let decisions = [format!(";Parent={PARENT};Sampled=0"), format!(";Parent={PARENT}"), String::new()];
    for (n, decision) in decisions.iter().enumerate() {
        assert_eq!(status(&lambda.invoke(event(HOME, n + 1, decision)).await), 200);
    }
    lambda.frozen().await;
    let trees = otlp_trees(&stack.otlp);
    assert_eq!(trees.keys().cloned().collect::<Vec<_>>(), [trace_id(1), trace_id(2), trace_id(3)]);
    trees.values().for_each(|tree| drop(root(tree, None)));
    assert!(stack.xray.take().await.is_empty());
    lambda.terminate().await;
}

#[tokio::test]
async fn without_a_trace_context_the_invocation_is_traced_all_the_same() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    let none = Event { trace: String::new(), ..event(HOME, 1, "") };
    assert_eq!(status(&lambda.invoke(none).await), 200);
    lambda.frozen().await;
    let (in_xray, in_otlp) = (xray_trees(&stack.xray).await, otlp_trees(&stack.otlp));
    assert_eq!(in_otlp.len(), 1);
    assert!(in_xray.keys().eq(in_otlp.keys()));
    in_xray.values().chain(in_otlp.values()).for_each(|tree| drop(root(tree, None)));
    lambda.terminate().await;
}

#[tokio::test]
async fn the_spans_of_home_tell_its_story() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    let answer = lambda.invoke(event(HOME, 1, &sampled())).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["multiValueHeaders"]["x-trace-id"][0], trace_id(1));
    lambda.frozen().await;

    let spans = stack.otlp.collected().spans;
    let named = |name: &str| spans.iter().filter(|(_, span)| span.name == name).collect::<Vec<_>>();
    let [(resource, invocation)] = named("GET /api/activities/home")[..] else { panic!("one root") };
    let resource: BTreeMap<_, _> = resource.iter().cloned().collect();
    assert_eq!(resource["service.name"], "backend");
    assert_eq!(resource["faas.name"], "cruddur-api");
    assert_eq!(resource["cloud.platform"], "aws_lambda");
    assert_eq!(resource["faas.max_memory"], "268435456");
    assert_eq!(invocation.kind(), opentelemetry_proto::tonic::trace::v1::span::SpanKind::Server);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/activities/home"),
        ("http.response.status_code", "200"),
        ("url.path", "/prod/api/activities/home"),
        ("url.scheme", "https"),
        ("server.address", "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com"),
        ("user_agent.original", "curl/8.9.1"),
        ("faas.trigger", "http"),
        ("faas.coldstart", "true"),
        ("faas.invocation_id", "00000000-0000-4000-8000-000000000001"),
        ("cloud.account.id", "123456789012"),
        ("cloud.resource_id", "arn:aws:lambda:us-east-1:123456789012:function:cruddur-api"),
        ("aws.lambda.invoked_arn", "arn:aws:lambda:us-east-1:123456789012:function:cruddur-api"),
    ] {
        assert_eq!(attribute(invocation, key).as_deref(), Some(value), "{key}");
    }

    let [(_, home)] = named("home-activities")[..] else { panic!("one home-activities") };
    assert_eq!(home.parent_span_id, invocation.span_id);
    assert_eq!(attribute(home, "app.result_length").as_deref(), Some("3"));
    assert!(attribute(home, "app.now").is_some());

    let queries = named("DynamoDB.Query");
    assert!(queries.len() >= 8);
    for (_, query) in &queries {
        assert_eq!(query.parent_span_id, home.span_id);
        assert_eq!(query.kind(), opentelemetry_proto::tonic::trace::v1::span::SpanKind::Client);
        assert_eq!(attribute(query, "db.collection.name").as_deref(), Some("cruddur"));
        assert_eq!(attribute(query, "db.operation.name").as_deref(), Some("Query"));
        assert_eq!(attribute(query, "aws.sdk.attempts").as_deref(), Some("1"));
        for key in ["aws.request_id", "aws.dynamodb.count", "aws.dynamodb.consumed_capacity_units"] {
            assert!(attribute(query, key).is_some(), "{key}");
        }
    }
    // Visibly parallel: the first two rounds' queries have all begun before any of them has ended.
    let first_end = queries.iter().take(8).map(|(_, span)| span.end_time_unix_nano).min();
    let last_start = queries.iter().take(8).map(|(_, span)| span.start_time_unix_nano).max();
    assert!(last_start < first_end);
    lambda.terminate().await;
}

#[tokio::test]
async fn requests_are_compressed_and_a_warm_process_says_so() {
    let stack = Stack::start().await;
    let mut lambda = stack.function().await;
    for n in 1..=2 {
        assert_eq!(status(&lambda.invoke(event(HOME, n, &sampled())).await), 200);
    }
    lambda.frozen().await;
    let collected = stack.otlp.collected();
    assert!(collected.requests.iter().all(|headers| headers["content-encoding"] == "gzip"));
    assert!(collected.requests.iter().all(|headers| headers["content-type"] == "application/x-protobuf"));
    let roots = collected.spans.iter().filter(|(_, span)| span.parent_span_id.is_empty());
    let cold: Vec<_> = roots.map(|(_, span)| attribute(span, "faas.coldstart").unwrap()).collect();
    assert_eq!(cold, ["true", "false"]);
    lambda.terminate().await;
}

#[tokio::test]
async fn a_log_line_names_the_trace_the_span_and_the_request() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.push(("RUST_LOG", "info".to_owned()));
    let lambda = Lambda::start(API, &environment).await;
    // A post that needs a table which is not there: an error of ours, with a line that says so.
    environment.retain(|(name, _)| *name != "TABLE_NAME");
    environment.push(("TABLE_NAME", "absent".to_owned()));
    let mut broken = Lambda::start(API, &environment).await;
    let token = stack.aws.issuer().access_token(&ANDREW.sub(), Clock::system().now()).unwrap();
    let create = CREATE.replace("ACCESS_TOKEN", &token);
    assert_eq!(status(&lambda.invoke(event(&create, 1, &sampled())).await), 200);
    let answer = broken.invoke(event(&create, 2, &sampled())).await;
    assert!(status(&answer) >= 500);
    broken.frozen().await;

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
async fn without_the_key_server_the_function_starts_and_serves_whoever_need_not_sign_in() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    environment.push(("JWKS_URL", format!("http://{nobody}/")));
    let mut lambda = Lambda::start(API, &environment).await;
    assert_eq!(status(&lambda.invoke(event(HOME, 1, &sampled())).await), 200);
    let token = stack.aws.issuer().access_token(&ANDREW.sub(), Clock::system().now()).unwrap();
    let create = CREATE.replace("ACCESS_TOKEN", &token);
    assert_eq!(status(&lambda.invoke(event(&create, 2, &sampled())).await), 503);
    lambda.frozen().await;
    let (_, log) = lambda.terminate().await;
    let told = format!("http://{nobody}/ (JWKS_URL) does not answer");
    assert!(log.contains(&told), "{log}");
}

#[tokio::test]
async fn the_signup_function_makes_a_profile_or_fails_and_tells_nobody_the_e_mail_address() {
    let stack = Stack::start().await;
    let mut environment = stack.environment(stack.otlp.endpoint());
    environment.retain(|(name, _)| !["SECRET_ARN", "COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID"].contains(name));
    environment.push(("RUST_LOG", "info".to_owned()));
    let mut lambda = Lambda::start(SIGNUP, &environment).await;
    let answer = lambda.invoke(event(CONFIRM, 1, &sampled())).await;
    assert!(answer.success, "{}", answer.body);
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(json(&answer.body), json(CONFIRM), "Cognito wants its event back");
    let store = Store::new(store::client(&local::aws::settings(stack.aws.endpoint())), TABLE);
    let made = store.profile("8c5d4578-1051-70a9-6e0a-2f1c9b3d4e5f").await.unwrap().unwrap();
    assert_eq!(made.author.handle.as_str(), "picard");

    environment.push(("TABLE_NAME", "absent".to_owned()));
    let mut broken = Lambda::start(SIGNUP, &environment).await;
    let refused = broken.invoke(event(CONFIRM, 2, &sampled())).await;
    assert!(!refused.success);
    assert!(refused.body.contains("the profile could not be made; try again"), "{}", refused.body);
    lambda.frozen().await;
    broken.frozen().await;

    let spans = stack.otlp.collected().spans;
    let names: BTreeSet<&str> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
    for name in ["PostConfirmation_ConfirmSignUp", "create-profile", "DynamoDB.TransactWriteItems"] {
        assert!(names.contains(name), "{names:?}");
    }
    let (_, log) = lambda.terminate().await;
    let (_, broken_log) = broken.terminate().await;
    let told = format!("{spans:?}{log}{broken_log}{}{:?}", refused.body, stack.xray.take().await);
    for private in ["picard", "Picard", "8c5d4578"] {
        assert!(!told.contains(private), "{private} is in {told}");
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
