//! The spans that a run exported, and how many of them belong to Lambda's traces.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;

use crate::collector::Body;
use crate::runtime_api::Invocation;

/// The spans that one destination received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// The number of distinct spans.
    pub(crate) spans: usize,
    /// How many of them are in an invocation's trace, below Lambda's root.
    pub(crate) joined: usize,
    /// The number of traces whose root has a parent that is missing in this destination.
    pub(crate) without_root: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    pub(crate) otlp: Arrived,
    pub(crate) xray: Arrived,
}

impl Arrivals {
    pub(crate) fn decode(bodies: &[Body], datagrams: &[Vec<u8>], invocations: &[Invocation]) -> Self {
        let parents: HashMap<String, String> =
            invocations.iter().map(|invocation| (invocation.trace_id(), invocation.parent())).collect();
        let segment = |trace: &str| parents.get(trace).map(String::as_str);
        // OTLP never receives Lambda's segment, so a root must have no parent there.
        let otlp = Traces::collect(bodies.iter().flat_map(otlp_spans)).count(
            |trace, parent| segment(trace).is_some_and(|segment| parent.is_empty() || parent == segment),
            str::is_empty,
        );
        let xray = Traces::collect(datagrams.iter().flat_map(|datagram| xray_spans(datagram)))
            .count(|trace, parent| segment(trace) == Some(parent), |_| true);
        Self { otlp, xray }
    }
}

/// Trace id, span id and parent id, in hexadecimal.
type Ids = (String, String, String);

fn otlp_spans(body: &Body) -> Vec<Ids> {
    let mut plain = Vec::new();
    if body.gzip {
        GzDecoder::new(body.bytes.as_slice()).read_to_end(&mut plain).expect("gzip");
    } else {
        plain.clone_from(&body.bytes);
    }
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).expect("protobuf");
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    spans.map(|span| (hex(&span.trace_id), hex(&span.span_id), hex(&span.parent_span_id))).collect()
}

fn xray_spans(datagram: &[u8]) -> Vec<Ids> {
    let start = datagram.iter().position(|byte| *byte == b'\n').expect("a header line") + 1;
    let document: Value = serde_json::from_slice(&datagram[start..]).expect("a document");
    let trace = text(&document, "trace_id").replacen("1-", "", 1).replace('-', "");
    let mut spans = Vec::new();
    flatten(&document, &trace, text(&document, "parent_id"), &mut spans);
    spans
}

/// Adds the document and its nested subsegments, which have the document's trace and its id as parent.
fn flatten(document: &Value, trace: &str, parent: String, spans: &mut Vec<Ids>) {
    let id = text(document, "id");
    for subsegment in document["subsegments"].as_array().into_iter().flatten() {
        flatten(subsegment, trace, id.clone(), spans);
    }
    spans.push((trace.to_owned(), id, parent));
}

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parent of each span, by trace id and span id.
struct Traces(HashMap<(String, String), String>);

impl Traces {
    fn collect(spans: impl Iterator<Item = Ids>) -> Self {
        Self(spans.map(|(trace, span, parent)| ((trace, span), parent)).collect())
    }

    /// Follows each span to its topmost received ancestor, and checks whether the parent of that ancestor joins Lambda's
    /// trace and is known to the destination.
    fn count(&self, joins: impl Fn(&str, &str) -> bool, is_known: impl Fn(&str) -> bool) -> Arrived {
        let mut joined = 0;
        let mut without_root = HashSet::new();
        for ((trace, _), parent) in &self.0 {
            let mut parent = parent;
            let mut steps = 0;
            while let Some(above) = self.0.get(&(trace.clone(), parent.clone())) {
                parent = above;
                steps += 1;
                assert!(steps <= self.0.len(), "the spans of trace {trace} form a cycle");
            }
            joined += usize::from(joins(trace, parent));
            if !is_known(parent) {
                without_root.insert(trace);
            }
        }
        Arrived { spans: self.0.len(), joined, without_root: without_root.len() }
    }
}
