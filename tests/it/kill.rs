//! The real binaries are killed before and after each request to DynamoDB.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cruddur::domain::{Notification, NotificationKind, Subject};
use futures_util::future::join_all;
use jiff::SignedDuration;
use lambda_harness::{Event, Fault, InvocationResult};
use serde_json::{Value, json};

use crate::lambda::SIGNUP;
use crate::support::{ANDREW, API, Proxied, STREAM, TestApp, WORF, event, hours, numbered, process_permit, user, worf};

/// More requests than any route sends.
const MANY: usize = 20;
/// Users who have read no notifications yet.
const READERS: [&str; 8] = ["sub-a", "sub-b", "sub-c", "sub-d", "sub-e", "sub-f", "sub-g", "sub-h"];

/// A write: its preparation and its request.
struct Write {
    name: &'static str,
    sub: &'static str,
    method: &'static str,
    path: String,
    body: Value,
}

/// The named write on its own items, which `n` distinguishes.
async fn write(app: &TestApp, name: &'static str, n: u64) -> Write {
    let post = app.posted(hours(1), 2 * n, "a post", "1-day").await.id;
    let by_worf = app.replied(post, SignedDuration::from_mins(30), 2 * n + 1, "a reply").await.id;
    let uri = |id, what: &str| format!("/api/activities/{id}{what}");
    let message = json!({ "message": format!("written {n}"), "handle": format!("user{n}") });
    match name {
        "unlike" => assert_eq!(app.put_as(WORF, &uri(post, "/like")).await.status, 200),
        "open a conversation" | "write to a user" => {
            let number = u128::from(n) + 100;
            app.state
                .store
                .create_profile(&user(number, &format!("sub-{n}"), &format!("user{n}"), "User"))
                .await
                .unwrap();
        }
        "mark notifications read" => {
            let notification = Notification {
                id: numbered(app.now() - hours(1), 1_000 + n),
                kind: NotificationKind::Mention,
                actor: worf().author.handle,
                subject: Subject::Post { id: post, parent: None },
                trace_context: None,
                expires_at: app.now() + hours(10),
            };
            app.state
                .store
                .add_notifications(&[(READERS[usize::try_from(n).unwrap()].to_owned(), notification)])
                .await
                .unwrap();
        }
        _ => {}
    }
    if name == "write to a user" {
        assert_eq!(app.post_as(WORF, "/api/messages", &message).await.status, 200);
    }
    let (sub, method, path, body) = match name {
        "post" => (WORF, "POST", "/api/activities".to_owned(), json!({ "message": "written", "ttl": "1-day" })),
        "reply to a post" => (WORF, "POST", uri(post, "/reply"), json!({ "message": "written" })),
        "reply to a reply" => (ANDREW, "POST", uri(by_worf, "/reply"), json!({ "message": "written" })),
        "like" => (WORF, "PUT", uri(post, "/like"), Value::Null),
        "like a reply" => (WORF, "PUT", uri(by_worf, "/like"), Value::Null),
        "unlike" => (WORF, "DELETE", uri(post, "/like"), Value::Null),
        "repost" => (WORF, "PUT", uri(post, "/repost"), Value::Null),
        "delete a post" => (ANDREW, "DELETE", uri(post, ""), Value::Null),
        "delete a reply" => (WORF, "DELETE", uri(by_worf, ""), Value::Null),
        "mark notifications read" => {
            let path = "/api/activities/notifications".to_owned();
            (READERS[usize::try_from(n).unwrap()], "PUT", path, Value::Null)
        }
        "open a conversation" | "write to a user" => (WORF, "POST", "/api/messages".to_owned(), message),
        _ => {
            let body = json!({ "display_name": format!("Worf {n}"), "bio": "" });
            (WORF, "PUT", "/api/profile/update".to_owned(), body)
        }
    };
    Write { name, sub, method, path, body }
}

impl Write {
    fn event(&self, key: &str) -> Event {
        event(self.sub, self.method, &self.path, Some(key), &self.body, Duration::from_secs(30))
    }

    /// The same request again, as a client retries without a response.
    async fn again(&self, app: &TestApp, key: &str) -> u16 {
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        app.send_with_key(self.sub, self.method, &self.path, Some(key), body).await.status
    }
}

/// The number of items added and removed, by kind.
fn difference(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let count = |of: &BTreeMap<String, i64>, kind: &String| of.get(kind).copied().unwrap_or_default();
    let kinds = before.keys().chain(after.keys());
    kinds.map(|kind| (kind.clone(), count(after, kind) - count(before, kind))).filter(|(_, by)| *by != 0).collect()
}

/// Injects the fault at the nth request.
fn nth(n: usize, fault: Fault) -> impl Fn(&lambda_harness::ProxiedRequest) -> Fault {
    let count = Arc::new(AtomicUsize::new(0));
    move |_| if count.fetch_add(1, Ordering::Relaxed) + 1 == n { fault.clone() } else { Fault::None }
}

/// The response to an event, unless the fault at the nth request kills the process first.
async fn answer_until_killed(
    system: &mut Proxied,
    binary: &str,
    n: usize,
    fault: Fault,
    event: Event,
) -> Option<InvocationResult> {
    let _permit = process_permit().await;
    let lambda = system.function(binary).await;
    system.set_plan(nth(n, fault));
    let answer = tokio::select! {
        answer = lambda.try_invoke(event) => answer,
        () = system.proxy.wait_until_held() => None,
    };
    lambda.kill().await;
    answer
}

async fn kill_everywhere(name: &'static str) {
    let mut system = Proxied::at_real_time().await;
    let whole = write(&system.app, name, 0).await;
    let before = system.app.items().await.kinds();
    assert_eq!(whole.again(&system.app, "undisturbed").await, 200);
    let expected = difference(&before, &system.app.items().await.kinds());
    let points = (1..MANY).flat_map(|n| [(n, Fault::HoldRequest), (n, Fault::HoldResponse)]);
    for (kills, (at, fault)) in (0..).zip(points) {
        let key = format!("{name}, {at}, {fault:?}").replace(' ', "-");
        let write = write(&system.app, name, kills + 1).await;
        let before = system.app.items().await.kinds();
        let answered = answer_until_killed(&mut system, API, at, fault, write.event(&key)).await.is_some();
        let left = system.app.items().await;
        let done = difference(&before, &left.kinds());
        assert!(done.is_empty() || done == expected, "{key}: {done:?}");
        assert_eq!(left.faults(), Vec::<String>::new(), "{key}");
        let status = write.again(&system.app, &key).await;
        // A repeated deletion finds nothing to delete.
        assert!(status == 200 || write.name.starts_with("delete") && status == 404, "{key}: {status}");
        let contents = system.app.items().await;
        assert_eq!(difference(&before, &contents.kinds()), expected, "{key}");
        assert_eq!(contents.faults(), Vec::<String>::new(), "{key}");
        if answered {
            assert!(kills >= 4, "{name}: only {kills}");
            return;
        }
    }
    unreachable!("{name} never ends");
}

#[tokio::test]
async fn killed_post_writes_leave_consistent_items() {
    join_all(["post", "reply to a post", "reply to a reply", "delete a post", "delete a reply"].map(kill_everywhere))
        .await;
}

#[tokio::test]
async fn killed_reactions_leave_consistent_items() {
    join_all(["like", "like a reply", "unlike", "repost"].map(kill_everywhere)).await;
}

#[tokio::test]
async fn killed_mark_as_read_is_all_or_nothing() {
    kill_everywhere("mark notifications read").await;
}

#[tokio::test]
async fn killed_signup_is_all_or_nothing() {
    let mut system = Proxied::at_real_time().await;
    let points = (1..MANY).flat_map(|n| [(n, Fault::HoldRequest), (n, Fault::HoldResponse)]);
    for (kills, (at, fault)) in (0..).zip(points) {
        let sub = format!("new-{kills}");
        let mut event: Value = serde_json::from_str(include_str!("../../events/signup/sign_in.json")).unwrap();
        // The handle is taken, which adds one failed request.
        event["request"]["userAttributes"]["preferred_username"] = json!("worf");
        event["request"]["userAttributes"]["sub"] = json!(sub);
        let before = system.app.items().await.kinds();
        let payload = event.to_string();
        let once = Event { payload, trace_header: String::new(), timeout: Duration::from_secs(30) };
        let answered = answer_until_killed(&mut system, SIGNUP, at, fault, once).await.is_some();
        let left = system.app.items().await;
        let whole = BTreeMap::from([("HANDLE HANDLE".to_owned(), 1), ("USER PROFILE".to_owned(), 1)]);
        let done = difference(&before, &left.kinds());
        assert!(done.is_empty() || done == whole, "{at}: {done:?}");
        assert_eq!(left.faults(), Vec::<String>::new(), "{at}");
        // After the next sign-in the user has exactly one profile.
        let state = &system.app.state;
        cruddur::signup::confirm(&state.store, &state.clock, event, Duration::from_secs(60)).await.unwrap();
        let contents = system.app.items().await;
        assert_eq!(difference(&before, &contents.kinds()), whole, "{at}");
        assert_eq!(contents.faults(), Vec::<String>::new(), "{at}");
        if answered {
            assert!(kills >= 6, "only {kills}");
            return;
        }
    }
    unreachable!("the trigger never ends");
}

#[tokio::test]
async fn killed_messages_and_renames_leave_consistent_items() {
    join_all(["open a conversation", "write to a user", "rename"].map(kill_everywhere)).await;
}

#[tokio::test]
async fn killed_consumer_is_completed_by_a_retry() {
    let busy = async || {
        let app = TestApp::new().await;
        let post = app.posted(hours(2), 1, "Fun, @worf", "1-day").await;
        app.replied(post.id, hours(1), 2, "No").await;
        app.put_as(WORF, &format!("/api/activities/{}/like", post.id)).await;
        let gone = app.posted(hours(1), 3, "Soon gone, @worf", "1-day").await;
        app.ask_as(ANDREW, "DELETE", &format!("/api/activities/{}", gone.id)).await;
        app.post_as(ANDREW, "/api/messages", &json!({ "message": "Hello", "handle": "worf" })).await;
        app
    };
    let mut undisturbed = busy().await;
    undisturbed.settle().await;
    let expected = undisturbed.contents().await;
    let mut system = Proxied::new(busy().await).await;
    let records: Vec<Value> = system.app.records().into_iter().filter(cruddur::stream::has_side_effects).collect();
    let payload = json!({ "Records": records }).to_string();
    let batch = Event { payload, trace_header: String::new(), timeout: Duration::from_secs(30) };
    let mut n = 1;
    loop {
        let fault = if n % 2 == 0 { Fault::HoldRequest } else { Fault::HoldResponse };
        if let Some(answer) = answer_until_killed(&mut system, STREAM, n, fault, batch.clone()).await {
            assert_eq!(answer.body, r#"{"batchItemFailures":[]}"#);
            break;
        }
        n += 1;
    }
    assert!(n > 10, "{n}");
    let mut app = system.app;
    app.settle().await;
    assert_eq!(app.contents().await, expected);
}
