use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lambda_harness::{Event, InvocationResult, Lambda, OtlpReceiver, XrayDaemon};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
pub(crate) use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event as SpanEvent;
use serde_json::Value;

pub(crate) const PARENT: &str = "53995c3f42cd8ad8";
pub(crate) const ROOT: &str = "1-6925a400-000000000000000000000001";
pub(crate) const TRACE_ID: &str = "6925a400000000000000000000000001";
pub(crate) const CLIENT_TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const CLIENT_SPAN_ID: &str = "00f067aa0ba902b7";

/// A function and its two destinations.
pub(crate) struct Stack {
    pub(crate) lambda: Lambda,
    xray: XrayDaemon,
    otlp: OtlpReceiver,
}

/// One invocation: its response and the spans that arrived.
pub(crate) struct Trace {
    pub(crate) answer: InvocationResult,
    pub(crate) spans: Vec<Span>,
    pub(crate) documents: Vec<Value>,
}

impl Stack {
    pub(crate) async fn start(handler: &str, more: &[(&'static str, String)]) -> Self {
        Self::start_example("test-function", handler, more).await
    }

    pub(crate) async fn start_example(example: &str, handler: &str, more: &[(&'static str, String)]) -> Self {
        let (xray, otlp) = (XrayDaemon::start().await, OtlpReceiver::start().await);
        let mut environment = vec![
            ("HANDLER", handler.to_owned()),
            ("AWS_XRAY_DAEMON_ADDRESS", xray.address()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint()),
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
        ];
        environment.extend_from_slice(more);
        Self { lambda: Lambda::start(built(example), &environment).await, xray, otlp }
    }

    pub(crate) async fn invoke(&mut self, payload: &str) -> Trace {
        self.invoke_with(payload, &format!("Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a87bd80c:0")).await
    }

    pub(crate) async fn invoke_with(&mut self, payload: &str, trace: &str) -> Trace {
        let known = self.otlp.collected().spans.len();
        let event =
            Event { payload: payload.to_owned(), trace_header: trace.to_owned(), timeout: Duration::from_secs(10) };
        let answer = self.lambda.invoke(event).await;
        self.lambda.wait_until_frozen().await;
        let spans = self.otlp.collected().spans.into_iter().skip(known).map(|(_, span)| span).collect();
        Trace { answer, spans, documents: self.xray.take().await }
    }
}

impl Stack {
    /// Invokes the function `count` times at once. Returns the number of traces and the log.
    pub(crate) async fn invoke_concurrently(mut self, count: usize, payload: &str) -> (usize, String) {
        let invocations = (1..=count).map(|n| {
            self.lambda.invoke(Event {
                payload: payload.to_owned(),
                trace_header: format!("Root=1-6925a400-{n:024x};Parent={PARENT};Sampled=1"),
                timeout: Duration::from_secs(10),
            })
        });
        for answer in futures_util::future::join_all(invocations).await {
            assert!(answer.success, "{answer:?}");
        }
        self.lambda.wait_until_frozen().await;
        let (_, log) = self.lambda.terminate().await;
        let traces: std::collections::BTreeSet<_> =
            self.otlp.collected().spans.into_iter().map(|(_, span)| span.trace_id).collect();
        (traces.len(), log)
    }
}

/// Returns the path of an example. `cargo test` builds it; `cargo test --test it` uses an earlier build.
pub(crate) fn built(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(example);
    assert!(path.exists(), "{} is not built: `cargo build -p lambda-spans --examples`", path.display());
    path
}

impl Trace {
    /// The invocation's span, whose parent is not among the spans.
    pub(crate) fn root(&self) -> &Span {
        let parents: Vec<_> = self.spans.iter().map(|span| &span.span_id).collect();
        let mut roots = self.spans.iter().filter(|span| !parents.contains(&&span.parent_span_id));
        let root = roots.next().unwrap();
        assert!(roots.next().is_none(), "several roots");
        root
    }

    pub(crate) fn span(&self, name: &str) -> &Span {
        self.spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} among {:?}", self.spans))
    }

    pub(crate) fn root_document(&self) -> &Value {
        self.documents.iter().find(|document| document["parent_id"] == PARENT).unwrap()
    }

    /// Asserts that the stream of the test function was sent, within the root span.
    pub(crate) fn assert_streamed_within_the_root(&self) {
        assert!(self.answer.body.ends_with("chunk 0\nchunk 1\nchunk 2\n"), "{:?}", self.answer.body);
        let root = self.root();
        let chunks: Vec<_> = self.spans.iter().filter(|span| span.name == "chunk").collect();
        assert_eq!(chunks.len(), 4);
        for chunk in chunks {
            assert_eq!(chunk.parent_span_id, root.span_id);
            assert!(chunk.end_time_unix_nano <= root.end_time_unix_nano);
        }
    }

    /// Asserts that no span contains private data.
    pub(crate) fn assert_nothing_private(&self) {
        let text = format!("{:?} {:?}", self.spans, self.documents);
        assert!(!text.contains("canary"), "{text}");
    }
}

pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Name, kind (as in the protocol), whether the span failed, and the attributes that come from the request or event.
pub(crate) fn summary(span: &Span) -> (String, i32, bool, BTreeMap<String, String>) {
    let everywhere = ["faas.coldstart", "faas.invocation_id", "aws.lambda.invoked_arn"];
    let attributes = span.attributes.iter().filter(|attribute| {
        !everywhere.contains(&attribute.key.as_str())
            && !attribute.key.starts_with("cloud.")
            && attribute.key != "SampleRate"
    });
    let failed = span.status.as_ref().is_some_and(|status| status.code == 2);
    (span.name.clone(), span.kind, failed, attributes.map(text).collect())
}

pub(crate) fn attributes<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

pub(crate) fn values(span: &Span) -> BTreeMap<String, String> {
    span.attributes.iter().map(text).collect()
}

pub(crate) fn event_attributes(event: &SpanEvent) -> BTreeMap<String, String> {
    event.attributes.iter().map(text).collect()
}

/// Marks numbers with their type, to distinguish them from texts of digits.
fn text(attribute: &KeyValue) -> (String, String) {
    let Some(AnyValue { value: Some(value) }) = &attribute.value else { panic!("{attribute:?}") };
    let text = match value {
        Any::StringValue(text) => text.clone(),
        Any::IntValue(number) => format!("int {number}"),
        Any::DoubleValue(number) => format!("double {number}"),
        Any::BoolValue(truth) => format!("bool {truth}"),
        Any::ArrayValue(_) | Any::KvlistValue(_) | Any::BytesValue(_) | Any::StringValueStrindex(_) => {
            panic!("{attribute:?}")
        }
    };
    (attribute.key.clone(), text)
}

pub(crate) fn links(span: &Span) -> Vec<(String, String)> {
    span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect()
}
