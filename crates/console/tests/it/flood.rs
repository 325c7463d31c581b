//! A flood of spans stays within the memory bound.

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::otlp_protobuf::{request, span};
use crate::support::{NOW, PROTOBUF, TestConsole, start_with};

const SPANS: usize = 10;
/// A million spans and 64 MiB, both divided by 16.
const TRACES: usize = 1_000_000 / SPANS / 16;
const MAX_BYTES: usize = (64 << 20) / 16;
/// The traces of a request.
const BATCH: usize = 250;

/// Returns the spans of the n-th trace.
fn spans(trace: usize) -> impl Iterator<Item = Span> {
    let id = (u128::from(NOW / 1_000_000_000) << 96) | (trace as u128 + 1);
    (1..=SPANS as u64).map(move |number| Span {
        trace_id: id.to_be_bytes().to_vec(),
        parent_span_id: if number == 1 { Vec::new() } else { 1_u64.to_be_bytes().to_vec() },
        ..span(number)
    })
}

/// Returns the numbers of traces, spans, bytes and evicted traces.
async fn totals(console: &TestConsole) -> (usize, usize, usize, usize) {
    let info = console.get_json("/api/info").await;
    let number = |name: &str| info[name].as_u64().unwrap() as usize;
    (number("traces"), number("spans"), number("bytes"), number("evicted_traces"))
}

#[tokio::test]
async fn flood_stays_within_the_bound_and_evicts_whole_traces() {
    let console = start_with(|options| options.max_bytes = MAX_BYTES).await;
    for first in (0..TRACES).step_by(BATCH) {
        let batch = (first..first + BATCH).flat_map(spans).collect();
        let answer = console.post("/v1/traces", &[PROTOBUF], &request(batch).encode_to_vec()).await;
        assert_eq!(answer.status, 200);
        let (traces, spans, bytes, evicted) = totals(&console).await;
        assert!(bytes <= MAX_BYTES, "{bytes}");
        assert_eq!((spans, traces + evicted), (traces * SPANS, first + BATCH));
    }
    let (traces, _, bytes, evicted) = totals(&console).await;
    assert!(evicted > 0 && bytes > MAX_BYTES / 2, "{evicted} {bytes}");
    // The newest are kept, and complete.
    let page = console.get_json("/api/traces?limit=1000").await;
    let newest = page["traces"].as_array().unwrap();
    assert_eq!(newest.len(), traces.min(1000));
    for (age, trace) in newest.iter().enumerate() {
        let number = TRACES - age;
        assert_eq!(trace["id"], format!("60000000{number:024x}"));
        assert_eq!((&trace["spans"], &trace["state"]), (&SPANS.into(), &"complete".into()));
    }
}

#[tokio::test]
async fn keys_and_scopes_of_their_own_count_for_the_bound() {
    use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;

    const LONG: usize = 10_000;
    for is_scope in [true, false] {
        let console = start_with(|options| options.max_bytes = 1 << 20).await;
        for trace in 0..300 {
            let text = format!("{trace:0LONG$}");
            let mut span = spans(trace).next().unwrap();
            let mut scope = InstrumentationScope::default();
            if is_scope {
                scope.name = text;
            } else {
                span.attributes = vec![KeyValue { key: text, ..KeyValue::default() }];
            }
            let mut request = request(Vec::new());
            let scope_spans = ScopeSpans { scope: Some(scope), spans: vec![span], ..ScopeSpans::default() };
            request.resource_spans[0].scope_spans = vec![scope_spans];
            console.post("/v1/traces", &[PROTOBUF], &request.encode_to_vec()).await;
        }
        let (traces, _, bytes, evicted) = totals(&console).await;
        assert_eq!(traces + evicted, 300);
        assert!(traces * LONG <= bytes && bytes <= 1 << 20, "{is_scope}: {traces} traces in {bytes} bytes");
    }
}
