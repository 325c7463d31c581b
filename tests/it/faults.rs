//! Faults of DynamoDB behind the real binaries, which have a timeout of three seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lambda_harness::{Fault, InvocationResult, Lambda};
use serde_json::{Value, json};

use crate::support::{ANDREW, API, Proxied, STREAM, TestApp, event, hours, process_permit};

const TIMEOUT: Duration = Duration::from_secs(3);

/// Name, fault, the statuses of a read and a write that always fail this way, and their code.
fn faults() -> Vec<(&'static str, Fault, u64, Option<&'static str>)> {
    let error = |kind: &str| json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}") }).to_string();
    vec![
        ("latency", Fault::Delay(Duration::from_millis(50)), 200, None),
        ("great latency", Fault::Delay(Duration::from_millis(700)), 503, Some("unavailable")),
        ("reset", Fault::Reset, 503, Some("unavailable")),
        ("half-open", Fault::Hang, 503, Some("unavailable")),
        ("500", Fault::Respond(500, error("InternalServerError")), 503, Some("unavailable")),
        ("throttled", Fault::Respond(400, error("ProvisionedThroughputExceededException")), 503, Some("throttled")),
        ("slow body", Fault::StallBody, 503, Some("unavailable")),
        ("lost answer", Fault::LoseResponse, 503, Some("unavailable")),
    ]
}

struct Outcome {
    status: u64,
    code: Option<String>,
    retry_after: bool,
}

/// The latest response before Lambda ends the invocation.
async fn ask(lambda: &Lambda, method: &str, path: &str, key: Option<&str>, body: Value) -> Outcome {
    let began = Instant::now();
    let answer = lambda.invoke(event(ANDREW, method, path, key, &body, TIMEOUT)).await;
    assert!(answer.received_at.duration_since(began) < TIMEOUT, "{method} {path}");
    outcome(&answer)
}

fn outcome(answer: &InvocationResult) -> Outcome {
    assert!(answer.success, "{}", answer.body);
    let response: Value = serde_json::from_str(&answer.body).unwrap();
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    Outcome {
        status: response["statusCode"].as_u64().unwrap(),
        code: body["code"].as_str().map(str::to_owned),
        retry_after: response["multiValueHeaders"].get("retry-after").is_some(),
    }
}

#[tokio::test]
async fn dynamodb_faults_end_in_time_without_double_writes() {
    join_all(faults().into_iter().map(async |(name, fault, status, code)| {
        let _permit = process_permit().await;
        let system = Proxied::at_real_time().await;
        let post = system.app.posted(hours(1), 1, "there before", "1-day").await.id;
        let lambda = system.function(API).await;
        let like = format!("/api/activities/{post}/like");
        let hello = json!({ "message": "Hello", "ttl": "1-hour" });
        let failing = fault.clone();
        system.set_plan(move |_| failing.clone());
        for (method, path, key, body) in [
            ("GET", "/api/activities/home", None, Value::Null),
            ("POST", "/api/activities", Some("k"), hello.clone()),
            ("PUT", like.as_str(), None, Value::Null),
        ] {
            let outcome = ask(&lambda, method, path, key, body).await;
            assert_eq!((outcome.status, outcome.code.as_deref()), (status, code), "{name}: {method} {path}");
            assert_eq!(outcome.retry_after, status == 503, "{name}");
        }
        // Only the response to the write is lost.
        system.set_plan(move |request| match request.operation.as_deref() {
            Some("TransactWriteItems") => fault.clone(),
            _ => Fault::None,
        });
        let outcome = ask(&lambda, "POST", "/api/activities", Some("k"), hello.clone()).await;
        assert!([status, 200].contains(&outcome.status), "{name}: {}", outcome.status);
        let outcome = ask(&lambda, "PUT", &like, None, Value::Null).await;
        assert_eq!(outcome.status, status, "{name}");
        system.set_plan(|_| Fault::None);
        for (method, path, key, body) in
            [("POST", "/api/activities", Some("k"), hello), ("PUT", like.as_str(), None, Value::Null)]
        {
            assert_eq!(ask(&lambda, method, path, key, body).await.status, 200, "{name}");
        }
        let home = system.app.get("/api/activities/home").await;
        assert_eq!(home.messages(), ["Hello", "there before"], "{name}");
        assert_eq!(home.body[1]["likes_count"], 1, "{name}");
        assert_eq!(system.app.items().await.faults(), Vec::<String>::new(), "{name}");
        lambda.kill().await;
    }))
    .await;
}

#[tokio::test]
async fn one_dynamodb_fault_is_retried_without_double_writes() {
    join_all(faults().into_iter().map(async |(name, fault, ..)| {
        let _permit = process_permit().await;
        let system = Proxied::at_real_time().await;
        let post = system.app.posted(hours(1), 1, "there before", "1-day").await.id;
        let lambda = system.function(API).await;
        let like = format!("/api/activities/{post}/like");
        let reply = format!("/api/activities/{post}/reply");
        for (method, path, body) in [
            ("GET", "/api/activities/home", Value::Null),
            ("POST", "/api/activities", json!({ "message": "Hello", "ttl": "1-hour" })),
            ("POST", &reply, json!({ "message": "Hello" })),
            ("PUT", &like, Value::Null),
            ("POST", "/api/messages", json!({ "message": "Hello", "handle": "worf" })),
            ("POST", "/api/messages", json!({ "message": "Hello again", "handle": "worf" })),
            ("PUT", "/api/profile/update", json!({ "display_name": "Andy", "bio": "" })),
        ] {
            // The first attempt of each operation fails.
            let seen = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
            let fault = fault.clone();
            system.set_plan(move |request| {
                let first = seen.lock().unwrap().insert(request.operation.clone());
                if first { fault.clone() } else { Fault::None }
            });
            assert_eq!(ask(&lambda, method, path, None, body).await.status, 200, "{name}: {method} {path}");
        }
        system.set_plan(|_| Fault::None);
        let home = system.app.get("/api/activities/home").await;
        assert_eq!(home.messages(), ["Hello", "there before"], "{name}");
        assert_eq!((&home.body[1]["likes_count"], &home.body[1]["replies_count"]), (&json!(1), &json!(1)), "{name}");
        let messages = system.app.get_as(ANDREW, "/api/messages/@worf").await;
        assert_eq!(messages.messages(), ["Hello", "Hello again"], "{name}");
        assert_eq!(system.app.items().await.faults(), Vec::<String>::new(), "{name}");
        lambda.kill().await;
    }))
    .await;
}

#[tokio::test]
async fn stream_consumer_reports_retries_in_time() {
    let busy = async || {
        let app = TestApp::new().await;
        app.posted(hours(2), 1, "Cloud fun for @worf", "1-day").await;
        app.posted(hours(1), 2, "More of it", "1-day").await;
        app.post_as(ANDREW, "/api/messages", &json!({ "message": "Hello", "handle": "worf" })).await;
        app
    };
    let mut undisturbed = busy().await;
    undisturbed.settle().await;
    let expected = undisturbed.contents().await;
    join_all(faults().into_iter().map(async |(name, fault, status, _)| {
        let _permit = process_permit().await;
        let system = Proxied::new(busy().await).await;
        let lambda = system.function(STREAM).await;
        let records: Vec<Value> = system.app.records().into_iter().filter(cruddur::stream::has_side_effects).collect();
        let batch = lambda_harness::Event {
            payload: json!({ "Records": records }).to_string(),
            trace_header: String::new(),
            timeout: TIMEOUT,
        };
        system.set_plan(move |_| fault.clone());
        let began = Instant::now();
        let answer = lambda.invoke(batch.clone()).await;
        assert!(answer.received_at.duration_since(began) < TIMEOUT, "{name}");
        assert!(answer.success, "{name}: {}", answer.body);
        let failures: Value = serde_json::from_str(&answer.body).unwrap();
        let failed = failures["batchItemFailures"].as_array().unwrap();
        // Latency alone lets some records finish in time.
        assert!(failed.len() <= 1 && (status == 200 || failed.len() == 1), "{name}: {failures}");
        system.set_plan(|_| Fault::None);
        let answer = lambda.invoke(batch).await;
        assert_eq!(answer.body, r#"{"batchItemFailures":[]}"#, "{name}");
        lambda.kill().await;
        let mut app = system.app;
        app.settle().await;
        assert_eq!(app.contents().await, expected, "{name}");
    }))
    .await;
}

#[tokio::test]
async fn retry_that_would_miss_the_deadline_is_skipped() {
    let _permit = process_permit().await;
    let system = Proxied::at_real_time().await;
    let lambda = system.function(API).await;
    for (left, most) in [(430, 1), (1_300, 2), (3_000, 3)] {
        let attempts = Arc::new(AtomicUsize::new(0));
        let counted = attempts.clone();
        system.set_plan(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Fault::Hang
        });
        let short = event(ANDREW, "GET", "/api/users/@worf/short", None, &Value::Null, Duration::from_millis(left));
        let began = Instant::now();
        let answer = lambda.invoke(short).await;
        assert!(answer.received_at.duration_since(began) < Duration::from_millis(left), "{left}");
        assert_eq!(outcome(&answer).status, 503);
        assert_eq!(attempts.load(Ordering::Relaxed), most, "{left}");
    }
    lambda.kill().await;
}

#[tokio::test]
async fn lost_response_of_a_liked_post_is_replayed() {
    let _permit = process_permit().await;
    let system = Proxied::at_real_time().await;
    let lambda = system.function(API).await;
    let first = Arc::new(AtomicUsize::new(0));
    system.set_plan(move |request| match request.operation.as_deref() {
        Some("PutItem") if first.fetch_add(1, Ordering::Relaxed) == 0 => Fault::HoldResponse,
        _ => Fault::None,
    });
    let Proxied { app, mut proxy } = system;
    let hello = json!({ "message": "Hello", "ttl": "1-hour" });
    let posting = lambda.invoke(event(ANDREW, "POST", "/api/activities", None, &hello, Duration::from_secs(10)));
    let liking = async {
        proxy.wait_until_held().await;
        let post = app.get("/api/activities/home").await.body[0]["uuid"].as_str().unwrap().to_owned();
        app.put_as("demo-worf", &format!("/api/activities/{post}/like")).await.status
    };
    let (posted, liked) = tokio::join!(posting, liking);
    assert_eq!((outcome(&posted).status, liked), (200, 200));
    assert_eq!(app.get("/api/activities/home").await.messages(), ["Hello"]);
    lambda.kill().await;
}
