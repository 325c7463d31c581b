use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt as _;
use lambda_harness::{Event, Lambda};
use lambda_spans::{Settings, Spans};
use serde_json::Value;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{
    CLIENT_SPAN_ID, CLIENT_TRACE_ID, PARENT, ROOT, Stack, TRACE_ID, Trace, built, hex, links, summary,
};

const HTTP: &str = include_str!("../data/apigw_http.json");

/// The headers that the function would send to another service.
fn sent_on(trace: &Trace) -> Value {
    let answer: Value = serde_json::from_str(&trace.answer.body).unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn caller_context_becomes_a_link_only() {
    let trace = Stack::start("http", &[]).await.invoke(HTTP).await;
    let root = trace.root();
    assert_eq!(hex(&root.trace_id), TRACE_ID);
    assert_eq!(root.parent_span_id, b"");
    assert_eq!(links(root), [(CLIENT_TRACE_ID.to_owned(), CLIENT_SPAN_ID.to_owned())]);
    assert_eq!((root.trace_state.as_str(), root.links[0].trace_state.as_str()), ("", ""));
    assert_eq!(summary(root).3["client.trace_id"], CLIENT_TRACE_ID);
    let document = trace.root_document();
    assert_eq!(document["trace_id"], ROOT);
    assert_eq!(document["annotations"]["client_trace_id"], CLIENT_TRACE_ID);
    trace.assert_nothing_private();
}

#[tokio::test]
async fn outgoing_headers_carry_the_lambda_trace_and_span() {
    let trace = Stack::start("http", &[]).await.invoke(&HTTP.replace("/items/42", "/inject")).await;
    let call = hex(&trace.span("call").span_id);
    let expected = serde_json::json!({
        "traceparent": format!("00-{TRACE_ID}-{call}-01"),
        "x-amzn-trace-id": format!("Root={ROOT};Parent={call};Sampled=1;Lineage=1:a87bd80c:0"),
    });
    assert_eq!(sent_on(&trace), expected);
}

#[tokio::test]
async fn trusted_caller_trace_continues_in_otlp_only() {
    let mut function = Stack::start("http", &[("LAMBDA_SPANS_CONTEXT", "caller".to_owned())]).await;
    let trace = function.invoke(&HTTP.replace("/items/42", "/inject")).await;
    let root = trace.root();
    assert_eq!(hex(&root.parent_span_id), CLIENT_SPAN_ID);
    for span in &trace.spans {
        assert_eq!((hex(&span.trace_id).as_str(), span.trace_state.as_str()), (CLIENT_TRACE_ID, ""));
    }
    assert_eq!(trace.span("call").parent_span_id, root.span_id);
    assert_eq!(links(root), []);
    let attributes = summary(root).3;
    assert_eq!(attributes["aws.xray.trace_id"], ROOT);
    assert!(!attributes.contains_key("client.trace_id"));

    let document = trace.root_document();
    assert_eq!((&document["trace_id"], &document["parent_id"]), (&ROOT.into(), &PARENT.into()));
    assert_eq!(document["annotations"]["client_trace_id"], CLIENT_TRACE_ID);
    assert!(trace.documents.iter().all(|document| document["trace_id"] == ROOT));

    let call = hex(&trace.span("call").span_id);
    let expected = serde_json::json!({
        "traceparent": format!("00-{CLIENT_TRACE_ID}-{call}-01"),
        "tracestate": "rojo=1",
        "x-amzn-trace-id": format!("Root={ROOT};Parent={call};Sampled=1;Lineage=1:a87bd80c:0"),
    });
    assert_eq!(sent_on(&trace), expected);
    // An invocation inherits no context from the one before.
    let without = function.invoke(&HTTP.replace("\"traceparent\"", "\"other\"")).await;
    assert_eq!(hex(&without.root().trace_id), TRACE_ID);
}

/// The HTTP event with `traceparent` in Lambda's own trace.
fn in_own_trace(flags: &str) -> String {
    let own = HTTP.replace("/items/42", "/inject").replace(CLIENT_TRACE_ID, TRACE_ID);
    own.replace(&format!("{CLIENT_SPAN_ID}-01"), &format!("{CLIENT_SPAN_ID}-{flags}"))
}

#[tokio::test]
async fn caller_in_the_own_trace_is_the_parent_in_every_mode() {
    for (mode, state) in [("xray", None), ("caller", Some("rojo=1"))] {
        let mut function = Stack::start("http", &[("LAMBDA_SPANS_CONTEXT", mode.to_owned())]).await;
        let trace = function.invoke(&in_own_trace("01")).await;
        let root = trace.root();
        assert_eq!((hex(&root.parent_span_id).as_str(), links(root)), (CLIENT_SPAN_ID, vec![]), "{mode}");
        assert!(trace.spans.iter().all(|span| hex(&span.trace_id) == TRACE_ID), "{mode}");
        let attributes = summary(root).3;
        assert!(
            !attributes.keys().any(|key| ["client.trace_id", "aws.xray.trace_id"].contains(&key.as_str())),
            "{mode}"
        );
        let document = trace.root_document();
        assert_eq!((&document["trace_id"], &document["parent_id"]), (&ROOT.into(), &PARENT.into()), "{mode}");
        assert_eq!(document["links"], Value::Null, "{mode}");
        let call = hex(&trace.span("call").span_id);
        let sent = sent_on(&trace);
        assert_eq!(sent["traceparent"], format!("00-{TRACE_ID}-{call}-01"), "{mode}");
        assert_eq!(sent["tracestate"].as_str(), state, "{mode}");
    }
}

#[tokio::test]
async fn unsampled_caller_in_the_own_trace_stays_a_link() {
    let trace = Stack::start("http", &[]).await.invoke(&in_own_trace("00")).await;
    let root = trace.root();
    assert_eq!(
        (root.parent_span_id.as_slice(), links(root)),
        (&b""[..], vec![(TRACE_ID.to_owned(), CLIENT_SPAN_ID.to_owned())])
    );
}

#[tokio::test]
async fn invalid_caller_in_the_own_trace_is_ignored() {
    let mut function = Stack::start("http", &[]).await;
    let good = format!("00-{TRACE_ID}-{CLIENT_SPAN_ID}-01");
    for value in [
        good.replace(TRACE_ID, &TRACE_ID.to_uppercase().replace('0', "O")),
        good.replace(CLIENT_SPAN_ID, "0000000000000000"),
        good.replace("00-6", "ff-6"),
        format!("{good}-more"),
        format!("{good},{good}"),
        good.replace('-', "_"),
    ] {
        let payload = in_own_trace("01").replace(&good, &value);
        assert!(payload.contains(&value));
        let trace = function.invoke(&payload).await;
        let root = trace.root();
        assert_eq!((root.parent_span_id.as_slice(), links(root)), (&b""[..], vec![]), "{value}");
    }
}

/// W3C's sampled flag, and whether it is known that the parent or linked span is remote.
const LOCAL: u32 = 0x101;
const REMOTE: u32 = 0x301;

#[tokio::test]
async fn spans_and_links_have_the_flags_of_the_specification() {
    let mut function = Stack::start("http", &[]).await;
    let inject = HTTP.replace("/items/42", "/inject");
    let trace = function.invoke(&inject).await;
    assert_eq!((trace.root().flags, trace.span("call").flags, trace.root().links[0].flags), (LOCAL, LOCAL, REMOTE));
    let unsampled = function.invoke(&inject.replace("02b7-01", "02b7-00")).await;
    assert_eq!(unsampled.root().links[0].flags, REMOTE & !1);
    let child = function.invoke(&in_own_trace("01")).await;
    assert_eq!((child.root().flags, child.span("call").flags), (REMOTE, LOCAL));
}

#[tokio::test]
async fn unsampled_trace_is_only_in_otlp() {
    let mut function = Stack::start("http", &[]).await;
    let inject = HTTP.replace("/items/42", "/inject");
    for header in [
        format!("Root={ROOT}"),
        format!("Root={ROOT};Parent={PARENT};Sampled=0"),
        format!("Sampled=?;Parent={PARENT};Root={ROOT}"),
    ] {
        let trace = function.invoke_with(&inject, &header).await;
        assert_eq!(hex(&trace.root().trace_id), TRACE_ID);
        assert_eq!(trace.documents, Vec::<Value>::new());
        let call = hex(&trace.span("call").span_id);
        assert_eq!(sent_on(&trace)["x-amzn-trace-id"], format!("Root={ROOT};Parent={call};Sampled=0"));
    }
}

#[tokio::test]
async fn unreadable_context_is_a_new_unsampled_trace() {
    let mut function = Stack::start("http", &[]).await;
    let inject = HTTP.replace("/items/42", "/inject");
    let mut known = vec![TRACE_ID.to_owned()];
    for header in [
        String::new(),
        "unreadable".to_owned(),
        format!("Root={ROOT};Parent=0;Sampled=1"),
        format!("Root={ROOT};Parent={PARENT};Sampled=yes"),
        format!("Root=1-00000000-000000000000000000000000;Parent={PARENT};Sampled=1"),
    ] {
        let trace = function.invoke_with(&inject, &header).await;
        let id = hex(&trace.root().trace_id);
        assert!(!known.contains(&id), "{header}");
        assert_eq!((trace.root().parent_span_id.as_slice(), trace.documents.len()), (&b""[..], 0), "{header}");
        let call = hex(&trace.span("call").span_id);
        let expected = format!("Root=1-{}-{};Parent={call};Sampled=0", &id[..8], &id[8..]);
        assert_eq!(sent_on(&trace)["x-amzn-trace-id"], expected);
        known.push(id);
    }
}

/// The trace ids in the response of `/trace`, its log lines, OTLP and X-Ray.
async fn asked(mode: &str, concurrency: usize) -> Vec<(String, (Value, Value))> {
    let environment = [
        ("HANDLER", "http".to_owned()),
        ("LAMBDA_SPANS_CONTEXT", mode.to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:9".to_owned()),
        ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string()),
    ];
    let mut lambda = Lambda::start(built("test-function"), &environment).await;
    let invocations = (1..=concurrency).map(|n| {
        lambda.invoke(Event {
            payload: HTTP.replace("/items/42", "/trace").replace(CLIENT_TRACE_ID, &client(n)),
            trace_header: format!("Root=1-6925a400-{n:024x};Parent={PARENT};Sampled=1"),
            timeout: std::time::Duration::from_secs(10),
        })
    });
    let answers = futures_util::future::join_all(invocations).await;
    lambda.wait_until_frozen().await;
    let log = lambda.kill().await;
    let mut lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("\"asked\""))
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["trace_id"].clone(), line["xray_trace_id"].clone()))
        .collect();
    lines.sort_unstable_by_key(|(_, xray)| xray.to_string());
    let answers = answers.iter().map(|answer| serde_json::from_str::<Value>(&answer.body).unwrap());
    answers.map(|answer| answer["body"].as_str().unwrap().to_owned()).zip(lines).collect()
}

/// The trace id of the nth caller.
fn client(n: usize) -> String {
    format!("4bf92f3577b34da6{n:016x}")
}

#[tokio::test]
async fn log_lines_carry_the_otlp_trace_id() {
    let lambdas = |n| (format!("6925a400{n:024x}").into(), format!("1-6925a400-{n:024x}").into());
    let callers = |n| (client(n).into(), format!("1-6925a400-{n:024x}").into());
    assert_eq!(asked("xray", 1).await, [(TRACE_ID.to_owned(), lambdas(1))]);
    assert_eq!(asked("caller", 1).await, [(client(1), callers(1))]);
    let expected: Vec<_> = (1..=8).map(|n| (client(n), callers(n))).collect();
    assert_eq!(asked("caller", 8).await, expected);
}

#[tokio::test]
async fn server_responses_carry_the_otlp_trace_id() {
    for (mode, callers) in [("caller", true), ("xray", false)] {
        let settings = Settings::from_lookup(|name| (name == "LAMBDA_SPANS_CONTEXT").then(|| mode.to_owned()));
        let spans = Spans::new(&settings);
        let _recording = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
        let router = Router::new().route("/", get(async || lambda_spans::trace_id().unwrap()));
        let parent = format!("00-{CLIENT_TRACE_ID}-{CLIENT_SPAN_ID}-01");
        let request = Request::get("/").header("traceparent", parent).body(Body::empty()).unwrap();
        let answer =
            spans.server(router).oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answer == CLIENT_TRACE_ID, callers, "{mode}");
        assert_eq!(answer.len(), 32);
    }
}
