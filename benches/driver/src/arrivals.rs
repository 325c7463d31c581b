//! What came out of a run, and how much of it is joined to the traces that Lambda began.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;

use crate::collector::Body;
use crate::runtime_api::Invocation;

/// Spans of one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Different spans.
    pub(crate) spans: usize,
    /// Of these: in Lambda's trace of an invocation, below its root there.
    pub(crate) joined: usize,
    /// Traces whose root names a parent that never arrives.
    pub(crate) without_root: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    pub(crate) otlp: Arrived,
    pub(crate) xray: Arrived,
}

impl Arrivals {
    pub(crate) fn of(bodies: &[Body], datagrams: &[Vec<u8>], invocations: &[Invocation]) -> Self {
        let parents: HashMap<String, String> =
            invocations.iter().map(|invocation| (invocation.trace_id(), invocation.parent())).collect();
        let segment = |trace: &str| parents.get(trace).map(String::as_str);
        // Lambda's own segment never comes by OTLP, so that there the root should have no parent.
        let otlp = Traces::collect(bodies.iter().flat_map(otlp_spans)).judge(
            |trace, parent| segment(trace).is_some_and(|segment| parent.is_empty() || parent == segment),
            str::is_empty,
        );
        let xray = Traces::collect(datagrams.iter().flat_map(|datagram| xray_spans(datagram)))
            .judge(|trace, parent| segment(trace) == Some(parent), |_| true);
        Self { otlp, xray }
    }
}

/// Trace id, span id and parent's id, in hexadecimal digits.
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
    unfold(&document, &trace, text(&document, "parent_id"), &mut spans);
    spans
}

/// What is inside of a document has its trace, and its id as parent.
fn unfold(document: &Value, trace: &str, parent: String, spans: &mut Vec<Ids>) {
    let id = text(document, "id");
    for subsegment in document["subsegments"].as_array().into_iter().flatten() {
        unfold(subsegment, trace, id.clone(), spans);
    }
    spans.push((trace.to_owned(), id, parent));
}

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parent of each span, which its trace and its own id name.
struct Traces(HashMap<(String, String), String>);

impl Traces {
    fn collect(spans: impl Iterator<Item = Ids>) -> Self {
        Self(spans.map(|(trace, span, parent)| ((trace, span), parent)).collect())
    }

    /// Follows each span upwards, through spans that are there, to the parent of the topmost: it joins them to
    /// Lambda's trace, or does not, and it is one that the destination knows, or is not.
    fn judge(&self, joins: impl Fn(&str, &str) -> bool, is_known: impl Fn(&str) -> bool) -> Arrived {
        let mut joined = 0;
        let mut without_root = HashSet::new();
        for ((trace, _), parent) in &self.0 {
            let mut parent = parent;
            let mut steps = 0;
            while let Some(above) = self.0.get(&(trace.clone(), parent.clone())) {
                parent = above;
                steps += 1;
                assert!(steps <= self.0.len(), "the spans of trace {trace} are a circle");
            }
            joined += usize::from(joins(trace, parent));
            if !is_known(parent) {
                without_root.insert(trace);
            }
        }
        Arrived { spans: self.0.len(), joined, without_root: without_root.len() }
    }
}
