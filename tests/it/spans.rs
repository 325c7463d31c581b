use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use lambda_spans::{Settings, Spans};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{ANDREW, TABLE, TestApp, answer, hours, request, signed_in};

type Fields = BTreeMap<String, String>;

/// A span, or an event of ours under the name `event`.
struct Entry {
    id: u64,
    name: &'static str,
    fields: Fields,
}

/// Every span and every event of ours.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<Entry>>>);

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorded {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Visitor(&mut fields));
        self.0.lock().unwrap().push(Entry { id: id.into_u64(), name: attributes.metadata().name(), fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap();
        // The registry gives an id again when its span has ended.
        if let Some(span) = spans.iter_mut().rev().find(|span| span.id == id.into_u64()) {
            values.record(&mut Visitor(&mut span.fields));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Visitor(&mut fields));
        if event.metadata().target().starts_with("cruddur") {
            self.0.lock().unwrap().push(Entry { id: 0, name: "event", fields });
        }
    }
}

impl Recorded {
    fn fields(&self, name: &str) -> Fields {
        let spans = self.0.lock().unwrap();
        spans.iter().find(|span| span.name == name).map(|span| span.fields.clone()).unwrap()
    }

    fn values(&self) -> String {
        let spans = self.0.lock().unwrap();
        spans.iter().map(|Entry { name, fields, .. }| format!("{name} {fields:?}\n")).collect()
    }
}

fn record() -> (Recorded, tracing::subscriber::DefaultGuard) {
    let recorded = Recorded::default();
    let subscriber = tracing_subscriber::registry().with(recorded.clone());
    (recorded, tracing::subscriber::set_default(subscriber))
}

fn fields<const N: usize>(fields: [(&str, &str); N]) -> Fields {
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Of `demo-andrewbrown` under the secret of the tests: computed by another implementation of HMAC.
const ANDREWS_HASH: &str = "c55c159f6f0f1929675b724ca7fecc0d";

#[tokio::test]
async fn home_records_when_it_was_and_how_much_it_found() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "one", "1-day").await;
    app.posted(hours(1), 2, "two", "1-day").await;
    let (recorded, _guard) = record();
    app.get("/api/activities/home").await;
    let expected = fields([("app.now", "2026-11-22T12:00:00.250Z"), ("app.result_length", "2")]);
    assert_eq!(recorded.fields("home-activities"), expected);
}

#[tokio::test]
async fn a_post_records_its_id_and_its_ttl_and_whose_it_is_as_a_hash() {
    let app = TestApp::new().await;
    let (recorded, _guard) = record();
    app.post(r#"{"message": "x", "ttl": "3-hours"}"#).await;
    let expected = fields([
        ("app.activity_uuid", "01a20320-a2fa-7000-8000-000000000000"),
        ("app.ttl", "3-hours"),
        ("app.user_id", ANDREWS_HASH),
    ]);
    assert_eq!(recorded.fields("create-activity"), expected);
}

#[tokio::test]
async fn a_refused_post_records_the_codes() {
    let app = TestApp::new().await;
    let (recorded, _guard) = record();
    app.post("{}").await;
    let expected = fields([("app.user_id", ANDREWS_HASH), ("app.validation_codes", "ttl_blank,message_blank")]);
    assert_eq!(recorded.fields("create-activity"), expected);
}

#[tokio::test]
async fn what_is_done_to_a_post_names_the_post_and_whose_act_it_is() {
    let app = TestApp::new().await;
    let id = app.posted(hours(1), 1, "x", "1-day").await.id;
    let post = "01a202e9-b47a-7000-8000-000000000001";
    for (method, what, name) in [
        ("PUT", "/like", "like-activity"),
        ("DELETE", "/like", "unlike-activity"),
        ("PUT", "/repost", "repost-activity"),
        ("DELETE", "/repost", "undo-repost-activity"),
        ("DELETE", "", "delete-activity"),
    ] {
        let (recorded, _guard) = record();
        app.ask_as(ANDREW, method, &format!("/api/activities/{id}{what}")).await;
        let expected = fields([("app.activity_uuid", post), ("app.user_id", ANDREWS_HASH)]);
        assert_eq!(recorded.fields(name), expected);
    }
}

#[tokio::test]
async fn a_reply_names_itself_and_its_parent_and_a_replay_says_that_it_is_one() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    for replayed in [None, Some("true")] {
        let (recorded, _guard) = record();
        let request = request("POST", &format!("/api/activities/{parent}/reply"));
        let request = request.header("content-type", "application/json").header("idempotency-key", "k");
        app.send(signed_in(request.body(r#"{"message": "y"}"#.into()).unwrap(), ANDREW)).await;
        let mut expected = fields([
            ("app.activity_uuid", "01a20320-a2fa-7000-8000-000000000000"),
            ("app.reply_to_activity_uuid", "01a202e9-b47a-7000-8000-000000000001"),
            ("app.user_id", ANDREWS_HASH),
        ]);
        expected.extend(replayed.map(|replayed| ("app.replayed".to_owned(), replayed.to_owned())));
        assert_eq!(recorded.fields("create-reply"), expected);
    }
}

#[tokio::test]
async fn a_page_records_how_much_is_on_it() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    app.replied(parent, hours(0), 2, "y").await;
    let (recorded, _guard) = record();
    app.get(&format!("/api/activities/{parent}")).await;
    let shown = fields([("app.activity_uuid", "01a202e9-b47a-7000-8000-000000000001"), ("app.result_length", "1")]);
    assert_eq!(recorded.fields("show-activity"), shown);
    app.get("/api/activities/@andrewbrown").await;
    let feed = fields([("app.now", "2026-11-22T12:00:00.250Z"), ("app.result_length", "1")]);
    assert_eq!(recorded.fields("user-feed"), feed);
}

#[tokio::test]
async fn what_a_request_writes_carries_its_trace() {
    let app = TestApp::new().await;
    let parent = app.posted(hours(1), 1, "x", "1-day").await.id;
    let spans = Spans::new(&Settings::from_lookup(|_| None).unwrap()).unwrap();
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
async fn every_answer_has_the_trace_id_and_a_problem_says_it_too() {
    let app = TestApp::new().await;
    let spans = Spans::new(&Settings::from_lookup(|_| None).unwrap()).unwrap();
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
        let told = answer.body.get("trace_id").and_then(|id| id.as_str());
        assert_eq!((answer.status, told), (status, (status >= 400).then_some(trace_id)), "{method} {path}");
    }
}

#[tokio::test]
async fn a_failure_of_ours_is_logged_once_with_its_causes() {
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    let (recorded, _guard) = record();
    app.get("/api/activities/home").await;
    let event = recorded.fields("event");
    assert_eq!((event["message"].as_str(), event["error.type"].as_str()), ("request failed", "store_refused"));
    assert!(event["error.causes"].starts_with("DynamoDB rejected the request: "), "{event:?}");
    assert_eq!(recorded.values().matches("request failed").count(), 1);
}

#[tokio::test]
async fn no_span_and_no_log_line_of_ours_has_what_is_private() {
    let app = TestApp::new().await;
    let (recorded, _guard) = record();
    app.post(r#"{"message": "canary-message", "ttl": "3-hours"}"#).await;
    app.post(r#"{"message": "canary-message\u0000", "ttl": "canary-ttl"}"#).await;
    app.post(r#"{"canary-field": "canary-value"}"#).await;
    app.get_as(ANDREW, "/api/activities/home?limit=canary-limit&cursor=canary-cursor").await;
    app.get_as(ANDREW, "/api/activities/home?cursor=canary-cursor").await;
    for path in ["/api/activities/home", "/api/activities"] {
        let method = if path.ends_with("home") { "GET" } else { "POST" };
        for authorization in ["Bearer canary-token", "canary-scheme x", "Bearer a.canary.b"] {
            let request =
                request(method, path).header("authorization", authorization).header("origin", "https://canary");
            app.send(request.body(axum::body::Body::empty()).unwrap()).await;
        }
    }
    app.get_as("canary-sub", "/api/activities/home").await;
    let id = app.posted(hours(0), 77, "canary-message", "1-day").await.id;
    for (method, path, body) in [
        ("POST", format!("/api/activities/{id}/reply"), r#"{"message": "canary-reply", "activity_uuid": null}"#),
        ("POST", format!("/api/activities/{id}/reply"), r#"{"message": "canary-reply", "activity_uuid": "canary"}"#),
        ("PUT", "/api/profile/update".to_owned(), r#"{"display_name": "canary-name", "bio": "canary-bio"}"#),
        ("PUT", "/api/profile/update".to_owned(), r#"{"display_name": "canary\t", "bio": "canary\u0000"}"#),
    ] {
        let request = request(method, &path).header("content-type", "application/json");
        let request = request.header("idempotency-key", "canary-key").body(body.into()).unwrap();
        app.send(signed_in(request, ANDREW)).await;
    }
    app.ask_as(ANDREW, "PUT", &format!("/api/activities/{id}/like")).await;
    app.get(&format!("/api/activities/{id}")).await;
    app.get("/api/activities/@canary_handle").await;
    app.get("/api/users/@canary_handle/short").await;
    let values = recorded.values();
    assert!(!values.contains("canary") && !values.contains(ANDREW), "{values}");
}

#[tokio::test]
async fn from_a_notification_one_finds_the_request_that_caused_it() {
    let mut app = TestApp::new().await;
    let spans = Spans::new(&Settings::from_lookup(|_| None).unwrap()).unwrap();
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
    let told = app.get_as("demo-worf", "/api/activities/notifications").await;
    let told: Vec<_> = told.body.as_array().unwrap().iter().map(|row| row["trace_id"].as_str().unwrap()).collect();
    causes.reverse();
    assert_eq!(told, causes);
}

#[tokio::test]
async fn what_follows_from_a_record_is_told_in_the_apps_terms() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "canary @worf", "1-day").await;
    let (recorded, _guard) = record();
    app.consume(&app.records()).await;
    let names: Vec<_> = recorded.0.lock().unwrap().iter().map(|entry| entry.name).collect();
    let ours = ["stream-record", "index-words", "notify", "correct-name"];
    assert_eq!(names.iter().filter(|name| ours.contains(name)).collect::<Vec<_>>(), ours.iter().collect::<Vec<_>>());
    let post = ("app.activity_uuid", "01a202e9-b47a-7000-8000-000000000001");
    assert_eq!(recorded.fields("stream-record"), fields([post, ("otel.name", "activity-written")]));
    assert!(!recorded.values().contains("canary"));
}

#[tokio::test]
async fn a_record_that_cannot_be_consumed_is_logged_with_its_writers_trace_and_nothing_of_what_it_holds() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "canary", "1-day").await;
    let mut record_ = app.records().pop().unwrap();
    record_["dynamodb"]["SequenceNumber"] = "4421584500000000017450439091".into();
    record_["dynamodb"]["NewImage"]["handle"]["S"] = "Not A Handle, canary".into();
    record_["dynamodb"]["NewImage"]["trace_context"] = serde_json::json!({ "S": crate::support::TRACEPARENT });
    let (recorded, _guard) = record();
    assert_eq!(app.consume(&[record_]).await.batch_item_failures.len(), 1);
    let expected = fields([
        ("message", "the stream record is invalid"),
        ("error.type", "unreadable"),
        ("error.causes", "activity item (HOME#<bucket>#<shard>): attribute `handle` is missing or has the wrong form"),
        ("app.dead_letter", "true"),
        ("app.sequence_number", "4421584500000000017450439091"),
        ("app.writer_trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ]);
    assert_eq!(recorded.fields("event"), expected);
    assert!(!recorded.values().contains("canary"));
}

#[tokio::test]
async fn messages_notifications_and_search_record_what_they_are_about_and_nothing_that_is_private() {
    let app = TestApp::new().await;
    let (recorded, _guard) = record();
    let body = serde_json::json!({ "message": "canary-message", "handle": "worf" });
    let group = app.post_as(ANDREW, "/api/messages", &body).await.body["message_group_uuid"].clone();
    let group = group.as_str().unwrap();
    let sent = recorded.fields("create-message");
    assert_eq!(sent["app.message_group_uuid"], group);
    assert_eq!(sent["app.user_id"], ANDREWS_HASH);
    app.get_as(ANDREW, &format!("/api/messages/{group}")).await;
    assert_eq!(recorded.fields("messages")["app.result_length"], "1");
    app.get_as(ANDREW, "/api/message_groups").await;
    assert_eq!(recorded.fields("message-groups")["app.result_length"], "1");
    app.get_as(ANDREW, "/api/activities/notifications").await;
    assert_eq!(recorded.fields("notifications")["app.unread_count"], "0");
    app.get("/api/activities/search?term=canary-term").await;
    assert_eq!(recorded.fields("search-activities")["app.words"], "2");
    app.post_as(ANDREW, "/api/messages", &serde_json::json!({ "message": "", "handle": "canary" })).await;
    let values = recorded.values();
    assert!(!values.contains("canary") && !values.contains(ANDREW), "{values}");
}
