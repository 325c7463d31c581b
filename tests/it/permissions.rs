//! What each function asks of DynamoDB, as its requests say, beside what its role in the template allows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use axum::body::Body;
use cruddur::api::ROUTES;
use cruddur::{signup, store};
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, hours, request, signed_in};
use crate::template::resource;

const WORF: &str = "demo-worf";

/// Actions of IAM, each with the part of the table that it is on.
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

/// IAM knows no transactions of writes: it asks for each write in them.
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
    fn of(app: TestApp) -> Self {
        let recorder = Recorder::default();
        let client = Client::from_conf(app.client.config().to_builder().interceptor(recorder.clone()).build());
        let mut recorded = TestApp::on(client);
        recorded.database = app.database;
        Self { app: recorded, recorder }
    }

    fn take(&self) -> Uses {
        std::mem::take(&mut *self.recorder.0.lock().unwrap())
    }
}

/// What the role of the function allows on the table, by the last part of the ARN.
fn allowed(function: &str) -> Uses {
    let (mut allowed, mut actions) = (Uses::new(), Vec::new());
    for line in resource(&format!("{function}Role")) {
        let action = line.strip_prefix("Action: ").or_else(|| line.strip_prefix("- "));
        if line.starts_with("- Sid: ") {
            actions.clear();
        } else if let Some(action) = action.and_then(|action| action.strip_prefix("dynamodb:")) {
            actions.push(action.to_owned());
        } else if let Some(resource) = line.strip_prefix("Resource: ") {
            let on = match resource {
                "!GetAtt Table.Arn" => "table",
                "!GetAtt Table.StreamArn" => "stream",
                other => other.strip_prefix("!Sub ${Table.Arn}/").unwrap_or(other),
            };
            allowed.extend(actions.drain(..).map(|action| (action, on.to_owned())));
        }
    }
    allowed
}

#[tokio::test]
async fn the_api_may_do_what_its_routes_do_and_no_more() {
    let recorded = Recorded::of(TestApp::new().await);
    let app = &recorded.app;
    let post = app.posted(hours(1), 1, "A post", "1-day").await.id;
    let reply = app.replied(post, hours(1), 2, "A reply").await.id;
    let group =
        app.post_as(ANDREW, "/api/messages", &json!({ "message": "Hello", "user_receiver_handle": "worf" })).await;
    let group = group.body["message_group_uuid"].as_str().unwrap().to_owned();
    recorded.take();
    app.state.store.warm_up().await.unwrap();

    let (post, reply) = (post.to_string(), reply.to_string());
    let hello = json!({ "message": "Hello", "ttl": "1-day" });
    let mut asked = BTreeSet::new();
    let walk = [
        ("GET", "/api/health-check", vec![], ANDREW, Value::Null),
        ("GET", "/api/openapi.json", vec![], ANDREW, Value::Null),
        ("GET", "/api/activities/home", vec![], ANDREW, Value::Null),
        ("GET", "/api/activities/search", vec![], ANDREW, Value::Null),
        ("GET", "/api/activities/@{handle}", vec!["andrewbrown"], ANDREW, Value::Null),
        ("GET", "/api/activities/@{handle}/status/{activity_uuid}", vec!["andrewbrown", &post], ANDREW, Value::Null),
        ("GET", "/api/activities/{activity_uuid}", vec![&post], ANDREW, Value::Null),
        ("GET", "/api/activities/{activity_uuid}", vec![&reply], ANDREW, Value::Null),
        ("GET", "/api/users/@{handle}/short", vec!["worf"], ANDREW, Value::Null),
        ("POST", "/api/activities", vec![], ANDREW, hello),
        ("POST", "/api/activities/{activity_uuid}/reply", vec![&post], WORF, json!({ "message": "Hello" })),
        ("PUT", "/api/activities/{activity_uuid}/like", vec![&post], WORF, Value::Null),
        ("PUT", "/api/activities/{activity_uuid}/like", vec![&post], WORF, Value::Null),
        ("DELETE", "/api/activities/{activity_uuid}/like", vec![&post], WORF, Value::Null),
        ("PUT", "/api/activities/{activity_uuid}/repost", vec![&post], WORF, Value::Null),
        ("DELETE", "/api/activities/{activity_uuid}/repost", vec![&post], WORF, Value::Null),
        ("GET", "/api/activities/notifications", vec![], WORF, Value::Null),
        ("PUT", "/api/activities/notifications", vec![], WORF, Value::Null),
        ("PUT", "/api/profile/update", vec![], WORF, json!({ "display_name": "Lieutenant Worf" })),
        ("POST", "/api/profile/update", vec![], WORF, json!({ "display_name": "Worf" })),
        ("POST", "/api/messages", vec![], WORF, json!({ "message": "Hello", "message_group_uuid": group })),
        ("POST", "/api/messages", vec![], WORF, json!({ "message": "Hello", "user_receiver_handle": "andrewbrown" })),
        ("GET", "/api/message_groups", vec![], WORF, Value::Null),
        ("GET", "/api/messages/{message_group_uuid}", vec![&group], WORF, Value::Null),
        ("DELETE", "/api/activities/{activity_uuid}", vec![&reply], WORF, Value::Null),
        ("DELETE", "/api/activities/{activity_uuid}", vec![&post], ANDREW, Value::Null),
    ];
    for (number, (method, path, parameters, sub, body)) in walk.into_iter().enumerate() {
        asked.insert((method, path));
        let query = match path {
            "/api/activities/search" => "?term=hello",
            "/api/health-check" => "?deep",
            _ => "",
        };
        let mut values = parameters.into_iter();
        let parts = path.split('/').map(|part| match part.split_once('{') {
            Some((before, _)) => format!("{before}{}", values.next().unwrap()),
            None => part.to_owned(),
        });
        let uri = format!("{}{query}", parts.collect::<Vec<_>>().join("/"));
        // With a key and without: what is written once is written otherwise.
        for key in [None, Some(number), Some(number)] {
            let mut request = request(method, &uri).header("content-type", "application/json");
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let answer = app.send(signed_in(request.body(Body::from(body.to_string())).unwrap(), sub)).await;
            assert!(matches!(answer.status, 200 | 404), "{method} {uri}: {} {}", answer.status, answer.body);
            if method == "GET" {
                break;
            }
        }
    }
    assert_eq!(asked, ROUTES.iter().map(|route| (route.method, route.path)).collect());
    assert_eq!(recorded.take(), allowed("ApiFunction"));
}

#[tokio::test]
async fn the_streams_consumer_may_do_what_follows_from_changes_and_no_more() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "Hello @worf", "1-day").await.id;
    app.replied(post, hours(1), 2, "A reply to @andrewbrown").await;
    app.ask_as(WORF, "PUT", &format!("/api/activities/{post}/like")).await;
    app.post_as(ANDREW, "/api/messages", &json!({ "message": "Hello", "user_receiver_handle": "worf" })).await;
    let mut recorded = Recorded::of(app);
    recorded.app.state.store.warm_up().await.unwrap();
    recorded.app.settle().await;
    let mut uses = recorded.take();
    let name = json!({ "display_name": "Andy" });
    assert_eq!(recorded.app.send_as(ANDREW, "PUT", "/api/profile/update", name.to_string()).await.status, 200);
    recorded.take();
    recorded.app.settle().await;
    uses.append(&mut recorded.take());
    recorded.app.delete_item(store::keys::activity(post)).await;
    recorded.take();
    recorded.app.settle().await;
    uses.append(&mut recorded.take());
    // What Lambda does in its name.
    let reads = [("DescribeStream", "stream"), ("GetRecords", "stream"), ("GetShardIterator", "stream")];
    let lambdas = reads.into_iter().chain([("ListStreams", "'*'")]);
    uses.extend(lambdas.map(|(action, on)| (action.to_owned(), on.to_owned())));
    assert_eq!(uses, allowed("StreamFunction"));
}

#[tokio::test]
async fn the_trigger_may_make_a_profile_and_no_more() {
    let recorded = Recorded::of(TestApp::empty().await);
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
