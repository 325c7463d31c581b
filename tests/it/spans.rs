//! Trace ids in responses and stored items, and the log events of failures.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use lambda_spans::{Settings, Spans};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::support::{ANDREW, TABLE, TestApp, answer, hours, request, signed_in};

type Fields = BTreeMap<String, String>;

/// Records the fields of each of our log events.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Fields>>>);

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("cruddur") {
            let mut fields = Fields::new();
            event.record(&mut Visitor(&mut fields));
            self.0.lock().unwrap().push(fields);
        }
    }
}

fn record() -> (Events, tracing::subscriber::DefaultGuard) {
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    (events, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn written_items_carry_the_trace_context() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    let spans = Spans::new(&Settings::from_lookup(|_| None));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    let (post, like) = (format!("/api/activities/{parent}/reply"), format!("/api/activities/{parent}/like"));
    for (method, path, body, written) in [
        ("POST", "/api/activities", r#"{"message": "x", "ttl": "1-day"}"#, 2),
        ("POST", post.as_str(), r#"{"message": "x"}"#, 2),
        ("PUT", like.as_str(), "", 1),
        ("PUT", "/api/profile/update", r#"{"display_name": "x"}"#, 2),
    ] {
        let request = request(method, path).header("content-type", "application/json").header("idempotency-key", "k");
        let request = signed_in(request.body(body.into()).unwrap(), ANDREW);
        let answer = answer(spans.server(app.router()), request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let trace = format!("00-{}-", answer.header("x-trace-id").unwrap());
        let items = app.client.scan().table_name(TABLE).send().await.unwrap().items.unwrap();
        let contexts = items.iter().filter_map(|item| item.get("trace_context")?.as_s().ok());
        assert_eq!(contexts.filter(|context| context.starts_with(&trace)).count(), written, "{method} {path}");
    }
}

#[tokio::test]
async fn responses_and_problems_have_the_trace_id() {
    let app = TestApp::new().await;
    let spans = Spans::new(&Settings::from_lookup(|_| None));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    for (method, path, status) in [
        ("GET", "/api/health-check", 200),
        ("GET", "/api/activities/home", 200),
        ("GET", "/api/activities/home?limit=0", 400),
        ("POST", "/api/activities", 401),
        ("GET", "/api/nothing-here", 404),
        ("DELETE", "/api/activities", 405),
    ] {
        let request = request(method, path).body(axum::body::Body::empty()).unwrap();
        let answer = answer(spans.server(app.router()), request).await;
        let trace_id = answer.header("x-trace-id").unwrap();
        assert!(trace_id.len() == 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit()), "{trace_id}");
        let found = answer.body.get("trace_id").and_then(|id| id.as_str());
        assert_eq!((answer.status, found), (status, (status >= 400).then_some(trace_id)), "{method} {path}");
    }
}

#[tokio::test]
async fn server_error_is_logged_once_with_its_causes() {
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    let (events, _guard) = record();
    app.get("/api/activities/home").await;
    let events = events.0.lock().unwrap();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event["error.type"], "store_refused");
    assert!(event["error.causes"].contains("ResourceNotFoundException"), "{event:?}");
}

#[tokio::test]
async fn notification_has_the_trace_of_its_request() {
    let mut app = TestApp::new().await;
    let spans = Spans::new(&Settings::from_lookup(|_| None));
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    let mut causes = Vec::new();
    for (path, body) in [
        ("/api/activities", r#"{"message": "Hello @worf", "ttl": "1-day"}"#),
        ("/api/messages", r#"{"message": "Hello", "handle": "worf"}"#),
    ] {
        let request = request("POST", path).header("content-type", "application/json");
        let request = signed_in(request.body(body.into()).unwrap(), ANDREW);
        causes.push(answer(spans.server(app.router()), request).await.header("x-trace-id").unwrap().to_owned());
        app.pass(jiff::SignedDuration::from_secs(1));
    }
    drop(guard);
    app.settle().await;
    let found = app.get_as("demo-worf", "/api/activities/notifications").await;
    let found: Vec<_> = found.body.as_array().unwrap().iter().map(|row| row["trace_id"].as_str().unwrap()).collect();
    causes.reverse();
    assert_eq!(found, causes);
}

#[tokio::test]
async fn failed_record_log_has_the_trace_without_content() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "canary", "1-day").await;
    let mut record_ = app.records().pop().unwrap();
    record_["dynamodb"]["SequenceNumber"] = "4421584500000000017450439091".into();
    record_["dynamodb"]["NewImage"]["handle"]["S"] = "Not A Handle, canary".into();
    record_["dynamodb"]["NewImage"]["trace_context"] = serde_json::json!({ "S": crate::support::TRACEPARENT });
    let (events, _guard) = record();
    assert_eq!(app.consume(&[record_]).await.batch_item_failures.len(), 1);
    let events = events.0.lock().unwrap();
    let event = events.iter().find(|event| event.contains_key("error.type")).unwrap();
    for (name, value) in [
        ("error.type", "unreadable"),
        ("app.dead_letter", "true"),
        ("app.sequence_number", "4421584500000000017450439091"),
        ("app.writer_trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ] {
        assert_eq!(event[name], value);
    }
    assert!(event["error.causes"].contains("handle") && !format!("{events:?}").contains("canary"), "{events:?}");
}
