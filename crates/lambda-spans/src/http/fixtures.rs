//! The literal span of every HTTP request fixture of `aws_lambda_events`.

use std::fs;
use std::path::Path;

use lambda_http::request::LambdaRequest;
use lambda_runtime::LambdaEvent;

use super::{event, record_route_of_event, request};
use crate::trace::test_span::{attributes, described};

/// Returns name and attributes of the request's span.
fn span(payload: LambdaRequest) -> String {
    let event = event::with_valid_url(LambdaEvent::new(payload, lambda_runtime::Context::default()));
    let request = lambda_http::Request::from(event.payload);
    let span = described(|context| {
        request::describe(context, &request, false);
        record_route_of_event(context, &request);
    });
    format!("{} | {}", span.name, attributes(&span).join(", "))
}

#[test]
fn every_http_fixture_has_its_literal_span() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/aws_lambda_events");
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let of_events = read("expected.txt");
    let names = of_events.lines().filter(|line| line.contains("faas.trigger=http"));
    let line = |line: &str| {
        let (name, _) = line.split_once(':').unwrap();
        let request = serde_json::from_str(&read(&format!("{name}.json")));
        format!("{name}: {}", request.map_or_else(|_| "rejected by lambda_http".to_owned(), span))
    };
    let lines: Vec<String> = names.map(line).collect();
    let expected = read("http.txt");
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
}
