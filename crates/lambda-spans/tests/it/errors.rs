//! Errors and panics, and where their messages go.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Span, Stack, Trace, event_attributes, summary};

const ALB: &str = include_str!("../data/alb.json");
const PLAIN: &str = include_str!("../data/plain.json");

fn path(path: &str) -> String {
    ALB.replace("/items/7", path)
}

async fn function(handler: &str, messages: &str, more: &[(&'static str, String)]) -> Stack {
    let mut environment = vec![("LAMBDA_SPANS_EXCEPTION_MESSAGE", messages.to_owned())];
    environment.extend_from_slice(more);
    Stack::start(handler, &environment).await
}

fn fails(span: &Span) -> bool {
    summary(span).2
}

/// The only exception of a span.
fn exception(span: &Span) -> BTreeMap<String, String> {
    assert!(fails(span));
    assert_eq!((span.events.len(), span.events[0].name.as_str()), (1, "exception"));
    event_attributes(&span.events[0])
}

fn kind_and_message(span: &Span) -> (String, Option<String>) {
    let mut found = exception(span);
    let kind = found.remove("exception.type").unwrap();
    (kind, found.remove("exception.message"))
}

/// The lines of a log, each a JSON object.
fn lines(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn panic_line(log: &str) -> Value {
    lines(log).into_iter().find(|line| line["message"] == "panicked").unwrap()
}

fn document<'a>(trace: &'a Trace, name: &str) -> &'a Value {
    fn find<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
        let inner = || document["subsegments"].as_array()?.iter().find_map(|document| find(document, name));
        if document["name"] == name { Some(document) } else { inner() }
    }
    trace.documents.iter().find_map(|document| find(document, name)).unwrap()
}

#[tokio::test]
async fn panic_is_on_the_innermost_and_the_root_span() {
    let mut function = function("http", "all", &[("RUST_BACKTRACE", "1".to_owned())]).await;
    let trace = function.invoke(&path("/panic")).await;
    for span in [trace.span("inner"), trace.root()] {
        let exception = exception(span);
        assert_eq!(exception["exception.type"], "panic");
        assert_eq!(exception["exception.message"], "canary-message");
        assert!(exception["exception.stacktrace"].contains("function::panics"), "{exception:?}");
        assert_eq!(summary(span).3["error.type"], "panic");
    }
    let cause = &document(&trace, "inner")["cause"]["exceptions"][0];
    assert_eq!((&cause["type"], &cause["message"]), (&"panic".into(), &"canary-message".into()));
    assert!(!cause["stack"].as_array().unwrap().is_empty());
    assert_eq!(trace.root_document()["cause"]["exceptions"][0]["type"], "panic");
}

#[tokio::test]
async fn panic_message_is_logged_but_not_on_spans_by_default() {
    let mut function = Stack::start("http", &[("EARLIER_HOOK", "1".to_owned())]).await;
    let trace = function.invoke(&path("/panic")).await;
    trace.assert_nothing_private();
    assert_eq!(exception(trace.root()), [("exception.type".to_owned(), "panic".to_owned())].into());
    let log = function.lambda.kill().await;
    let line = panic_line(&log);
    assert_eq!(line["fields"]["exception.message"], "canary-message");
    assert_eq!(line["trace_id"], crate::support::TRACE_ID);
    assert!(log.contains(r#"earlier hook: Some("canary-message")"#), "{log}");
}

#[tokio::test]
async fn panic_message_goes_nowhere_if_told_so() {
    let mut function = function("http", "none", &[]).await;
    let trace = function.invoke(&path("/panic")).await;
    trace.assert_nothing_private();
    let log = function.lambda.kill().await;
    assert!(panic_line(&log)["fields"]["place"].as_str().unwrap().contains("function.rs"));
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn earlier_panic_hook_runs_without_messages_too() {
    let mut function = function("http", "none", &[("EARLIER_HOOK", "1".to_owned())]).await;
    function.invoke(&path("/panic")).await;
    let log = function.lambda.kill().await;
    assert_eq!(log.matches("earlier hook").count(), 1, "{log}");
}

#[tokio::test]
async fn handler_error_is_an_exception() {
    let mut http = function("http-error", "all", &[]).await;
    let (kind, message) = kind_and_message(http.invoke(ALB).await.root());
    assert_eq!(kind, "std::io::error::Error");
    assert!(message.unwrap().contains("canary-message"));
    let mut event = function("event", "all", &[]).await;
    let found = kind_and_message(event.invoke(PLAIN).await.root());
    assert_eq!(found, ("handler_error".to_owned(), Some("canary-message".to_owned())));
}

#[tokio::test]
async fn handler_error_message_goes_nowhere_if_told_so() {
    let mut function = function("event", "none", &[]).await;
    let trace = function.invoke(PLAIN).await;
    trace.assert_nothing_private();
    assert_eq!(kind_and_message(trace.root()), ("handler_error".to_owned(), None));
    let log = function.lambda.kill().await;
    assert!(!log.contains("canary"), "{log}");
    assert!(lines(&log).iter().any(|line| line["level"] == "ERROR"), "{log}");
}

#[tokio::test]
async fn only_error_events_with_a_value_fail_their_span() {
    let trace = function("http", "log", &[]).await.invoke(&path("/errors")).await;
    assert_eq!(kind_and_message(trace.span("reported")), ("Failure".to_owned(), None));
    assert_eq!(kind_and_message(trace.span("value")), ("std::io::Error".to_owned(), None));
    assert_eq!(kind_and_message(trace.span("named")), ("_OTHER".to_owned(), None));
    for span in [trace.span("text"), trace.span("warning"), trace.root()] {
        assert!(!fails(span) && span.events.is_empty(), "{span:?}");
    }
    assert_eq!(document(&trace, "reported")["cause"]["exceptions"][0]["type"], "Failure");
    trace.assert_nothing_private();
}

#[tokio::test]
async fn integers_arrive_as_numbers() {
    let trace = function("http", "log", &[]).await.invoke(&path("/integers")).await;
    let entered = summary(trace.span("entered")).3;
    assert_eq!((entered["app.count"].as_str(), entered["app.late"].as_str()), ("int 9", "int 7"));
    assert_eq!(entered["app.huge"], format!("double {}", u64::MAX as f64));
    let other = summary(trace.span("never-entered")).3;
    let texts = ["app.wide", "app.debt", "app.id"].map(|key| other[key].as_str());
    assert_eq!(texts, ["int 5", "int -5", "12"]);
}

#[tokio::test]
async fn log_crate_records_are_log_lines() {
    let mut function = function("http", "log", &[]).await;
    function.invoke(&path("/log")).await;
    let log = function.lambda.kill().await;
    let line = lines(&log).into_iter().find(|line| line["message"] == "written through the log crate").unwrap();
    assert_eq!((&line["level"], &line["target"]), (&"WARN".into(), &"a-library".into()));
    assert_eq!((&line["fields"], &line["trace_id"]), (&Value::Null, &crate::support::TRACE_ID.into()));
}

#[tokio::test]
async fn installed_logger_is_kept() {
    let mut function = function("http", "log", &[("EARLIER_LOGGER", "1".to_owned())]).await;
    assert!(function.invoke(&path("/log")).await.answer.success);
    let log = function.lambda.kill().await;
    assert!(!log.contains("written through"), "{log}");
}
