//! The DynamoDB cost of each route, as measured, matches the tables of `docs/data-model.md`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use serde_json::{Value, json};

use crate::data_model::rows;
use crate::support::{ANDREW, Answer, TestApp, WORF, hours};

/// The longest post, in letters of two bytes.
fn message() -> String {
    "ж".repeat(280)
}

/// The operations since the last measurement.
#[derive(Debug, Default)]
struct Spent {
    calls: BTreeMap<String, u32>,
    /// Operations that overlap share one round trip.
    rounds: u32,
    round_has_an_end: bool,
    read: f64,
    written: f64,
}

#[derive(Clone, Debug, Default)]
struct Meter(Arc<Mutex<Spent>>);

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut spent = self.0.lock().unwrap();
        if spent.rounds == 0 || spent.round_has_an_end {
            spent.rounds += 1;
            spent.round_has_an_end = false;
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().unwrap().name();
        let body: Value = serde_json::from_slice(context.response().unwrap().body().bytes().unwrap()).unwrap();
        let consumed = &body["ConsumedCapacity"];
        let tables = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
        let units: f64 = tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
        let mut spent = self.0.lock().unwrap();
        spent.round_has_an_end = true;
        match operation {
            "GetItem" | "BatchGetItem" | "Query" => spent.read += units,
            _ => spent.written += units,
        }
        *spent.calls.entry(operation.to_owned()).or_default() += 1;
        Ok(())
    }
}

struct Metered {
    app: TestApp,
    meter: Meter,
    rows: Vec<[String; 5]>,
}

impl Metered {
    async fn new() -> Self {
        let meter = Meter::default();
        let app = TestApp::new().await.with_interceptor(meter.clone()).await;
        Self { app, meter, rows: Vec::new() }
    }

    /// Adds a row with the cost of `request`.
    async fn cost(&mut self, name: &str, request: impl AsyncFnOnce(&TestApp) -> Answer) -> Answer {
        std::mem::take(&mut *self.meter.0.lock().unwrap());
        let answer = request(&self.app).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        let spent = std::mem::take(&mut *self.meter.0.lock().unwrap());
        let calls: Vec<_> = spent.calls.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
        let numbers = [spent.rounds.to_string(), spent.read.to_string(), spent.written.to_string()];
        let [rounds, read, written] = numbers;
        self.rows.push([name.to_owned(), calls.join(", "), rounds, read, written]);
        answer
    }

    async fn get(&mut self, name: &str, sub: Option<&str>, uri: &str) {
        self.cost(name, async |app| match sub {
            Some(sub) => app.get_as(sub, uri).await,
            None => app.get(uri).await,
        })
        .await;
    }

    async fn send(&mut self, name: &str, sub: &str, method: &str, uri: &str, key: Option<&str>, body: Value) -> String {
        let answer = self.cost(name, async |app| app.send_with_key(sub, method, uri, key, body.to_string()).await);
        answer.await.body["uuid"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn route_costs_match_the_documentation() {
    let mut metered = Metered::new().await;
    let message = message();
    metered.app.posted(hours(24 * 25), 900, &message, "30-days").await;
    metered.get("home, a post in the oldest bucket", None, "/api/activities/home").await;
    let mut posts = Vec::new();
    for number in 0..24 {
        posts.push(metered.app.posted(hours(1), number, &message, "7-days").await.id);
    }
    let post = posts[0];
    for number in 100..120 {
        metered.app.replied(post, hours(0), number, &message).await;
    }
    let reply = metered.app.replied(post, hours(0), 120, &message).await.id;
    let shown = format!("/api/activities/{post}");
    let (new, answer) = (json!({ "message": message, "ttl": "7-days" }), json!({ "message": message }));
    let none = Value::Null;
    metered.get("home, 20 posts", None, "/api/activities/home").await;
    metered.get("home, 20 posts, signed in", Some(WORF), "/api/activities/home").await;
    metered.get("user feed, 20 of 25 posts", None, "/api/activities/@andrewbrown").await;
    metered.get("show, a post and 21 replies", None, &shown).await;
    metered.get("show, a reply", None, &format!("/api/activities/{reply}")).await;
    metered.get("short user", None, "/api/users/@worf/short").await;
    metered.get("deep health check", None, "/api/health-check?deep").await;
    metered.send("post", ANDREW, "POST", "/api/activities", None, new.clone()).await;
    let made = metered.send("post with a key", ANDREW, "POST", "/api/activities", Some("k"), new.clone()).await;
    metered.send("post with a key, again", ANDREW, "POST", "/api/activities", Some("k"), new).await;
    let to_post = format!("{shown}/reply");
    let replied = metered.send("reply to a post", WORF, "POST", &to_post, None, answer.clone()).await;
    let to_reply = format!("/api/activities/{reply}/reply");
    metered.send("reply to a reply", WORF, "POST", &to_reply, None, answer).await;
    for (name, method, what) in [
        ("like", "PUT", "like"),
        ("like, again", "PUT", "like"),
        ("unlike", "DELETE", "like"),
        ("repost", "PUT", "repost"),
        ("undo repost", "DELETE", "repost"),
    ] {
        metered.send(name, WORF, method, &format!("{shown}/{what}"), None, none.clone()).await;
    }
    let edit = json!({ "display_name": "Lieutenant Worf", "bio": "Today is a good day." });
    metered.send("update profile", WORF, "PUT", "/api/profile/update", None, edit).await;
    metered.send("delete a reply", WORF, "DELETE", &format!("/api/activities/{replied}"), None, none.clone()).await;
    metered.send("delete a post", ANDREW, "DELETE", &format!("/api/activities/{made}"), None, none).await;

    metered.app.posted(hours(0), 950, &format!("{} @worf", "ж".repeat(270)), "7-days").await;
    metered.app.settle().await;
    metered.get("search, 20 of 25 posts", None, "/api/activities/search?term=%D0%B6%D0%B6%D0%B6").await;
    metered.get("search, nothing found", None, "/api/activities/search?term=nothing").await;
    metered.get("notifications", Some(WORF), "/api/activities/notifications").await;
    metered.cost("notifications read", async |app| app.put_as(WORF, "/api/activities/notifications").await).await;
    let long = "ж".repeat(1024);
    let first = json!({ "message": long, "user_receiver_handle": "worf" });
    metered.send("first message to a user", ANDREW, "POST", "/api/messages", None, first.clone()).await;
    metered.send("message to a user", ANDREW, "POST", "/api/messages", None, first.clone()).await;
    metered.send("message to a user, with a key", ANDREW, "POST", "/api/messages", Some("m"), first).await;
    let groups = metered.app.get_as(WORF, "/api/message_groups").await;
    let group = groups.body[0]["uuid"].as_str().unwrap().to_owned();
    let next = json!({ "message": long, "message_group_uuid": group });
    for _ in 0..22 {
        metered.app.post_as(WORF, "/api/messages", &next).await;
    }
    metered.send("message to a conversation", WORF, "POST", "/api/messages", None, next).await;
    metered.get("message groups", Some(WORF), "/api/message_groups").await;
    metered.get("messages, 20 of 26", Some(WORF), &format!("/api/messages/{group}")).await;
    metered.get("messages, 20 of 26, by handle", Some(WORF), "/api/messages/@andrewbrown").await;

    let expected: Vec<String> = metered.rows.iter().map(|row| row.join(" | ")).collect();
    let documented: Vec<String> = rows("Costs").iter().map(|row| row.join(" | ")).collect();
    assert_eq!(documented, expected, "the table should be\n| {} |", expected.join(" |\n| "));
}

/// A typical post of twelve words.
const USUAL: &str = "Who likes pineapple on their pizza, and who would rather have anchovies?";

impl Metered {
    /// Adds a row with the cost of the stream consumer since the last one.
    async fn consume(&mut self, name: &str) {
        std::mem::take(&mut *self.meter.0.lock().unwrap());
        self.app.settle().await;
        let spent = std::mem::take(&mut *self.meter.0.lock().unwrap());
        let calls: Vec<_> = spent.calls.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
        let (rounds, read, written) = (spent.rounds.to_string(), spent.read.to_string(), spent.written.to_string());
        self.rows.push([name.to_owned(), calls.join(", "), rounds, read, written]);
    }
}

#[tokio::test]
async fn busy_system_costs_match_the_documentation() {
    let mut metered = Metered::new().await;
    for number in 0..240 {
        metered.app.posted(hours(1), number, USUAL, "30-days").await;
    }
    // The side effects of these posts are not measured.
    metered.app.next_records();
    metered.get("home, 20 of 240 posts", None, "/api/activities/home").await;
    for post in metered.app.get("/api/activities/home").await.body.as_array().unwrap().iter().take(10) {
        metered.app.put_as(WORF, &format!("/api/activities/{}/like", post["uuid"].as_str().unwrap())).await;
    }
    metered.app.next_records();
    metered.get("home, 20 of 240 posts, signed in, 10 liked", Some(WORF), "/api/activities/home").await;
    metered.get("user feed, 20 of 240 posts", None, "/api/activities/@andrewbrown").await;

    let body = json!({ "message": USUAL, "ttl": "1-day" });
    let post = metered.send("a post", ANDREW, "POST", "/api/activities", None, body).await;
    metered.consume("consumer: a post").await;
    let path = format!("/api/activities/{post}");
    let body = json!({ "message": USUAL });
    metered.send("a reply", WORF, "POST", &format!("{path}/reply"), None, body.clone()).await;
    metered.consume("consumer: a reply").await;
    metered.send("a like", WORF, "PUT", &format!("{path}/like"), None, Value::Null).await;
    metered.consume("consumer: a like").await;
    let body = json!({ "message": USUAL, "user_receiver_handle": "worf" });
    metered.send("a first message", ANDREW, "POST", "/api/messages", None, body.clone()).await;
    metered.consume("consumer: a first message").await;
    metered.app.pass(jiff::SignedDuration::from_secs(1));
    metered.send("a message", ANDREW, "POST", "/api/messages", None, body.clone()).await;
    metered.consume("consumer: a message").await;
    for _ in 0..22 {
        metered.app.post_as(ANDREW, "/api/messages", &body).await;
    }
    metered.app.settle().await;
    let groups = metered.app.get_as(WORF, "/api/message_groups").await;
    let group = groups.body[0]["uuid"].as_str().unwrap().to_owned();
    metered.get("messages, 20 of 24", Some(WORF), &format!("/api/messages/{group}")).await;
    let edit = json!({ "display_name": "Andy" });
    metered.send("a rename by a user with 241 posts", ANDREW, "PUT", "/api/profile/update", None, edit).await;
    metered.consume("consumer: a rename").await;
    metered.app.delete_item(metered.app.key(cruddur::domain::Id::parse(&post).unwrap())).await;
    metered.consume("consumer: a deleted post with a reply and a like").await;
    let lone = metered.app.posted(hours(0), 900, USUAL, "1-day").await;
    metered.app.settle().await;
    metered.app.delete_item(metered.app.key(lone.id)).await;
    metered.consume("consumer: a deleted post").await;

    let mut searched = Metered::new().await;
    for number in 0..100 {
        let post = searched.app.posted(hours(1), number, USUAL, "30-days").await;
        searched.app.state.store.index_words(&post).await.unwrap();
    }
    searched.get("search, 20 of 100 posts", None, "/api/activities/search?term=pineapple%20pizza").await;
    searched.get("search by three letters, 20 of 100 posts", None, "/api/activities/search?term=pin").await;
    searched.app.next_records();
    let ideographs: String = (0..280).map(|number| char::from_u32(0x4E00 + number).unwrap()).collect();
    searched.app.posted(hours(0), 900, &ideographs, "1-day").await;
    searched.consume("consumer: a post of 280 ideographs").await;
    metered.rows.append(&mut searched.rows);

    let expected: Vec<String> = metered.rows.iter().map(|row| row.join(" | ")).collect();
    let documented: Vec<String> = rows("Costs of a busy system").iter().map(|row| row.join(" | ")).collect();
    assert_eq!(documented, expected, "the table should be\n| {} |", expected.join(" |\n| "));
}
