//! Exported traces, drawn as trees that are equal in every run.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use lambda_harness::OtlpReceiver;
use lambda_spans::{Settings, Spans};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tracing_subscriber::layer::SubscriberExt;

use super::{Answer, answer};

/// Attributes of all client spans: omitted from the trees, unless one is missing or has another value.
const EVERY_CLIENT: [(&str, &str); 8] = [
    ("aws.sdk.attempts", "1"),
    ("cloud.region", "us-east-1"),
    ("db.collection.name", "cruddur-test"),
    ("db.system.name", "aws.dynamodb"),
    ("http.response.status_code", "200"),
    ("rpc.system.name", "aws-api"),
    ("server.address", "dynamodb.invalid"),
    ("server.port", "80"),
];
/// The same for calls to services other than DynamoDB.
const EVERY_OTHER_CLIENT: [(&str, &str); 5] = [
    ("aws.sdk.attempts", "1"),
    ("cloud.region", "us-east-1"),
    ("http.response.status_code", "200"),
    ("rpc.system.name", "aws-api"),
    ("server.address", "127.0.0.1"),
];
const EVERY_SERVER: [(&str, &str); 4] = [
    ("network.protocol.version", "1.1"),
    ("server.address", "cruddur.example"),
    ("url.scheme", "http"),
    ("user_agent.original", "test"),
];
/// Attributes whose values differ between runs or repeat others: only their presence is checked.
const ANY_VALUE: [&str; 5] =
    ["aws.request_id", "db.operation.name", "rpc.method", "server.port", "http.response.body.size"];

/// Records the spans of one request after another.
pub(crate) struct Tracing {
    spans: Spans,
    otlp: OtlpReceiver,
    requests: usize,
    taken: usize,
    drawn: String,
    known: Known,
}

/// The drawn spans by trace and span id. Links refer to them by name, because ids differ between runs.
type Known = BTreeMap<(Vec<u8>, Vec<u8>), String>;

impl Tracing {
    pub(crate) async fn start() -> Self {
        let otlp = OtlpReceiver::start().await;
        let endpoint = otlp.endpoint();
        let settings = Settings::from_lookup(|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
        let spans = Spans::new(&settings);
        Self { spans, otlp, requests: 0, taken: 0, drawn: String::new(), known: Known::new() }
    }

    /// Sends the request, and draws its trace under `title`.
    pub(crate) async fn request(&mut self, title: &str, router: Router, mut request: Request<Body>) -> Answer {
        for (name, value) in [("host", "cruddur.example"), ("user-agent", "test")] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let guard = self.record();
        let answer = answer(self.spans.server(router), request).await;
        self.draw(&format!("{title}: {}", answer.status)).await;
        drop(guard);
        answer
    }

    /// Runs other work and draws its trace under `title`.
    pub(crate) async fn work<T>(&mut self, title: &str, name: &str, work: impl Future<Output = T>) -> T {
        let guard = self.record();
        // Starts the export in the background.
        drop(self.spans.server(Router::new()));
        let span = tracing::info_span!(parent: None, "work", otel.name = name, otel.kind = "consumer");
        let done = self.spans.trace(span, work).await;
        self.draw(title).await;
        drop(guard);
        done
    }

    /// The trees so far.
    pub(crate) fn drawn(&self) -> &str {
        self.drawn.trim_start()
    }

    fn record(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.spans.tracing_layer()))
    }

    async fn draw(&mut self, title: &str) {
        self.requests += 1;
        self.otlp.wait_for_requests(self.requests).await;
        let spans: Vec<Span> = self.otlp.collected().spans.into_iter().skip(self.taken).map(|(_, span)| span).collect();
        self.taken += spans.len();
        let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
        assert_eq!(roots.len(), 1, "{title}: not one root");
        assert!(spans.iter().all(|span| span.trace_id == roots[0].trace_id), "{title}: several traces");
        let tree = Node::of(roots[0], &spans, &self.known);
        let drawn = spans.iter().map(|span| (span.trace_id.clone(), span.span_id.clone()));
        self.known.extend(drawn.zip(spans.iter().map(|span| format!("{} of \"{title}\"", span.name))));
        assert_eq!(tree.size(), spans.len(), "{title}: a parent is missing");
        self.drawn.push_str(&format!("\n## {title}\n\n"));
        tree.draw(&mut self.drawn, 0, 1);
    }
}

#[derive(PartialEq)]
struct Node {
    text: String,
    attributes: String,
    children: Vec<Node>,
}

impl Node {
    fn of(span: &Span, spans: &[Span], known: &Known) -> Self {
        let mut children: Vec<&Span> = spans.iter().filter(|child| child.parent_span_id == span.span_id).collect();
        children.sort_by_key(|child| child.start_time_unix_nano);
        Self {
            text: format!("{} [{}]", span.name, kind(span)),
            attributes: attributes(span, known),
            children: children.into_iter().map(|child| Self::of(child, spans, known)).collect(),
        }
    }

    fn size(&self) -> usize {
        1 + self.children.iter().map(Self::size).sum::<usize>()
    }

    /// Draws equal spans in sequence once, with their count.
    fn draw(&self, text: &mut String, depth: usize, count: usize) {
        let indent = "  ".repeat(depth);
        let times = if count == 1 { String::new() } else { format!(" × {count}") };
        text.push_str(&format!("{indent}{}{times}\n{}", self.text, indented(&self.attributes, &indent)));
        let mut children = self.children.as_slice();
        while let [first, ..] = children {
            let count = children.iter().take_while(|child| *child == first).count();
            first.draw(text, depth + 1, count);
            children = &children[count..];
        }
    }
}

fn indented(lines: &str, indent: &str) -> String {
    lines.lines().map(|line| format!("{indent}    {line}\n")).collect()
}

fn kind(span: &Span) -> String {
    let kind = match span.kind() {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    };
    let failed = span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    format!("{kind}{}", if failed { ", error" } else { "" })
}

/// One line for each attribute, sorted by name.
fn attributes(span: &Span, known: &Known) -> String {
    let mut left: BTreeMap<&str, String> =
        span.attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute.value.as_ref()))).collect();
    let mut lines = Vec::new();
    let (every, wanted): (&[(&str, &str)], &[&str]) = match span.kind() {
        SpanKind::Client | SpanKind::Producer if !span.name.starts_with("DynamoDB.") => {
            (&EVERY_OTHER_CLIENT, &["aws.request_id", "rpc.method", "server.port"])
        }
        SpanKind::Client => (&EVERY_CLIENT, &["aws.request_id", "db.operation.name", "rpc.method"]),
        SpanKind::Server => (&EVERY_SERVER, &["http.response.body.size"]),
        SpanKind::Unspecified | SpanKind::Internal | SpanKind::Producer | SpanKind::Consumer => (&[], &[]),
    };
    for (key, usual) in every {
        if left.get(key).is_some_and(|value| value == usual) {
            left.remove(key);
        } else if !left.contains_key(key) {
            lines.push(format!("{key} is missing"));
        }
    }
    let there: Vec<&str> = ANY_VALUE.into_iter().filter(|key| left.remove(key).is_some()).collect();
    lines.extend(wanted.iter().filter(|key| !there.contains(key)).map(|key| format!("{key} is missing")));
    lines.extend(left.iter().map(|(key, value)| format!("{key} = {value}")));
    lines.extend(span.links.iter().map(|link| match known.get(&(link.trace_id.clone(), link.span_id.clone())) {
        Some(drawn) => format!("link to {drawn}"),
        None => format!("link to {}", hex(&link.trace_id)),
    }));
    lines.extend(span.events.iter().map(|event| format!("event {}", event.name)));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()).unwrap() {
        Value::StringValue(text) => {
            // `tracing` exports an unsigned number as text, which Honeycomb cannot aggregate.
            assert!(text.parse::<i64>().is_err(), "the number {text} is exported as text: record it as i64");
            text.clone()
        }
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::ArrayValue(list) => {
            format!("[{}]", list.values.iter().map(|value| text(Some(value))).collect::<Vec<_>>().join(", "))
        }
        other @ (Value::KvlistValue(_) | Value::BytesValue(_) | Value::StringValueStrindex(_)) => format!("{other:?}"),
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
