use crate::support::{Stack, attributes, summary};

const URL: &str = include_str!("../data/function_url.json");

#[tokio::test]
async fn streamed_body_is_covered_by_the_span() {
    let mut function = Stack::start("streaming", &[]).await;
    let trace = function.invoke(&URL.replace("/fail", "/items/42")).await;
    assert!(trace.answer.success);
    trace.assert_streamed_within_the_root();
    let root = trace.root();
    let (name, _, failed, mut found) = summary(root);
    let first = found.remove("http.response.time_to_first_byte_ms").unwrap();
    let first: f64 = first.strip_prefix("double ").unwrap().parse().unwrap();
    let whole = (root.end_time_unix_nano - root.start_time_unix_nano) as f64 / 1e6;
    assert!(first > 0.0 && first <= whole, "{first} of {whole}");
    let expected = attributes([
        ("faas.trigger", "http"),
        ("http.request.body.size", "int 0"),
        ("http.request.method", "GET"),
        ("http.response.body.size", "int 24"),
        ("http.response.status_code", "int 200"),
        ("http.route", "/items/{id}"),
        ("network.protocol.version", "1.1"),
        ("server.address", "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws"),
        ("url.path", "/items/42"),
        ("url.scheme", "https"),
        ("user_agent.original", "curl/8.5.0"),
    ]);
    assert_eq!((name.as_str(), failed, found), ("GET /items/{id}", false, expected));
}

#[tokio::test]
async fn broken_stream_ends_the_span() {
    let mut function = Stack::start("streaming", &[]).await;
    let trace = function.invoke(&URL.replace("/fail", "/broken")).await;
    let (name, _, failed, found) = summary(trace.root());
    assert_eq!((name.as_str(), failed, found["error.type"].as_str()), ("GET /broken", true, "axum_core::error::Error"));
    assert!(found.contains_key("http.response.time_to_first_byte_ms"));
    trace.assert_nothing_private();
}
