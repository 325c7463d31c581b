//! The DynamoDB actions that each function uses are those that its role in the template allows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use cruddur::signup;
use serde_json::{Value, json};

use crate::support::{ANDREW, SAMPLES, TestApp, WORF, hours, properties};

/// IAM actions with the resource: the table, an index or the stream.
type Uses = BTreeSet<(String, String)>;

#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Uses>>);

impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "Recorder"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let (_, operation) = request.headers().get("x-amz-target").unwrap().split_once('.').unwrap();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        self.0.lock().unwrap().extend(uses(operation, &body));
        Ok(())
    }
}

/// The IAM actions of a request. IAM authorizes each write of a transaction separately.
fn uses(operation: &str, body: &Value) -> Vec<(String, String)> {
    let on = match body["IndexName"].as_str() {
        Some(index) => format!("index/{index}"),
        None => "table".to_owned(),
    };
    if operation != "TransactWriteItems" {
        return vec![(operation.to_owned(), on)];
    }
    let writes = body["TransactItems"].as_array().unwrap().iter();
    writes.map(|write| (format!("{}Item", write.as_object().unwrap().keys().next().unwrap()), on.clone())).collect()
}

struct Recorded {
    app: TestApp,
    recorder: Recorder,
}

impl Recorded {
    async fn of(app: TestApp) -> Self {
        let recorder = Recorder::default();
        Self { app: app.with_interceptor(recorder.clone()).await, recorder }
    }

    fn take(&self) -> Uses {
        std::mem::take(&mut *self.recorder.0.lock().unwrap())
    }
}

/// The actions that the function's role allows on the table, with the last part of the ARN.
fn allowed(function: &str) -> Uses {
    let policies = properties(&format!("{function}Role"))["Policies"].as_array().unwrap();
    let statements = policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    let mut allowed = Uses::new();
    for statement in statements {
        let action = &statement["Action"];
        let actions = action.as_array().map_or(std::slice::from_ref(action), Vec::as_slice);
        // The last branch is the stack's own table; the other one is a restored table.
        let resource = statement["Resource"]["Fn::If"].get(2).unwrap_or(&statement["Resource"]);
        let on = match resource["Fn::GetAtt"].as_str().or(resource["Fn::Sub"].as_str()).or(resource.as_str()) {
            Some("Table.Arn") => "table",
            Some("Table.StreamArn") => "stream",
            Some(other) => other.strip_prefix("${Table.Arn}/").unwrap_or(other),
            None => continue,
        };
        let actions = actions.iter().filter_map(|action| action.as_str()?.strip_prefix("dynamodb:"));
        allowed.extend(actions.map(|action| (action.to_owned(), on.to_owned())));
    }
    allowed
}

#[tokio::test]
async fn api_role_allows_exactly_what_routes_use() {
    let mut uses = Uses::new();
    // Spans are not written to the table.
    for sample in SAMPLES.routes.iter().filter(|sample| sample.path != "/v1/traces") {
        // With an idempotency key, a write is a transaction, and the second request is replayed.
        for keys in [vec![None], vec![Some("k"), Some("k")]] {
            let recorded = Recorded::of(TestApp::with_samples().await).await;
            for (repeats, key) in keys.into_iter().enumerate() {
                let body = sample.body_with(&[]).unwrap_or_default();
                let answer = recorded.app.send_with_key(ANDREW, &sample.method, &sample.uri(), key, body).await;
                let gone = repeats > 0 && sample.method == "DELETE" && answer.status == 404;
                assert!(gone || answer.status == sample.owner, "{}: {}", sample.route(), answer.body);
            }
            uses.append(&mut recorded.take());
        }
    }

    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "A post", "1-day").await.id;
    let reply = app.replied(post, hours(1), 2, "A reply").await.id;
    let recorded = Recorded::of(app).await;
    recorded.app.state.store.warm_up().await.unwrap();
    let (post, reply) = (format!("/api/activities/{post}"), format!("/api/activities/{reply}"));
    for (method, uri, body) in [
        ("GET", "/api/health-check?deep", Value::Null),
        ("GET", &reply, Value::Null),
        ("PUT", &format!("{post}/like"), Value::Null),
        ("PUT", &format!("{post}/like"), Value::Null),
        ("DELETE", &format!("{post}/like"), Value::Null),
        ("PUT", &format!("{post}/repost"), Value::Null),
        ("DELETE", &format!("{post}/repost"), Value::Null),
        ("POST", "/api/messages", json!({ "message": "Hello", "user_receiver_handle": "andrewbrown" })),
        ("POST", "/api/messages", json!({ "message": "Hello", "user_receiver_handle": "andrewbrown" })),
        ("GET", "/api/messages/@andrewbrown", Value::Null),
        ("PUT", "/api/profile/update", json!({ "display_name": "Lieutenant Worf" })),
        ("DELETE", &reply, Value::Null),
    ] {
        let answer = recorded.app.send_as(WORF, method, uri, body.to_string()).await;
        assert_eq!(answer.status, 200, "{method} {uri}: {}", answer.body);
    }
    uses.append(&mut recorded.take());
    assert_eq!(uses, allowed("ApiFunction"));
}

#[tokio::test]
async fn stream_role_allows_exactly_what_the_consumer_uses() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "Hello @worf", "1-day").await.id;
    app.replied(post, hours(1), 2, "A reply to @andrewbrown").await;
    app.ask_as(WORF, "PUT", &format!("/api/activities/{post}/like")).await;
    app.post_as(ANDREW, "/api/messages", &json!({ "message": "Hello", "user_receiver_handle": "worf" })).await;
    let mut recorded = Recorded::of(app).await;
    recorded.app.state.store.warm_up().await.unwrap();
    recorded.app.settle().await;
    let mut uses = recorded.take();
    let name = json!({ "display_name": "Andy" });
    assert_eq!(recorded.app.send_as(ANDREW, "PUT", "/api/profile/update", name.to_string()).await.status, 200);
    recorded.take();
    recorded.app.settle().await;
    uses.append(&mut recorded.take());
    recorded.app.delete_item(recorded.app.key(post)).await;
    recorded.take();
    recorded.app.settle().await;
    uses.append(&mut recorded.take());
    // The event source mapping uses the function's role.
    let reads = [("DescribeStream", "stream"), ("GetRecords", "stream"), ("GetShardIterator", "stream")];
    let lambdas = reads.into_iter().chain([("ListStreams", "*")]);
    uses.extend(lambdas.map(|(action, on)| (action.to_owned(), on.to_owned())));
    assert_eq!(uses, allowed("StreamFunction"));
}

#[tokio::test]
async fn signup_role_allows_exactly_what_the_trigger_uses() {
    let recorded = Recorded::of(TestApp::empty().await).await;
    recorded.app.state.store.warm_up().await.unwrap();
    for event in [
        include_str!("../../events/signup/confirm.json"),
        include_str!("../../events/signup/sign_in.json"),
        include_str!("../../events/signup/forgot_password.json"),
    ] {
        let event = serde_json::from_str(event).unwrap();
        let (store, clock) = (&recorded.app.state.store, &recorded.app.state.clock);
        signup::confirm(store, clock, event, Duration::from_secs(60)).await.unwrap();
    }
    assert_eq!(recorded.take(), allowed("SignupFunction"));
}
