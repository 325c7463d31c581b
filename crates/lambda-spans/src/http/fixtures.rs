//! The literal span of every HTTP request fixture of `aws_lambda_events`.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lambda_http::request::LambdaRequest;
use lambda_runtime::LambdaEvent;
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};

use super::{event, record_route_of_event, request};

#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Returns name and attributes of the request's span.
fn span(payload: LambdaRequest) -> String {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
    let context = Context::new().with_span(provider.tracer("test").start("function"));
    let event = event::with_valid_url(LambdaEvent::new(payload, lambda_runtime::Context::default()));
    let request = lambda_http::Request::from(event.payload);
    request::describe(&context, &request, false);
    record_route_of_event(&context, &request);
    context.span().end();
    let span = ended.0.lock().unwrap().pop().unwrap();
    let mut attributes: Vec<String> =
        span.attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
    attributes.sort_unstable();
    format!("{} | {}", span.name, attributes.join(", "))
}

#[test]
fn every_http_fixture_has_its_literal_span() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/aws_lambda_events");
    let read = |file: String| fs::read_to_string(folder.join(file)).unwrap();
    let of_events = read("expected.txt".to_owned());
    let names =
        of_events.lines().filter(|line| line.contains("faas.trigger=http")).map(|line| line.split_once(':').unwrap().0);
    let line = |name: &str| {
        let request = serde_json::from_str(&read(format!("{name}.json")));
        format!("{name}: {}", request.map_or_else(|_| "rejected by lambda_http".to_owned(), span))
    };
    let lines: Vec<String> = names.map(line).collect();
    if std::env::var_os("WRITE").is_some() {
        fs::write(folder.join("http.txt"), lines.join("\n") + "\n").unwrap();
    }
    let expected = read("http.txt".to_owned());
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(lines, expected);
}
