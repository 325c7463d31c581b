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
        // Lambda's own segment never comes by OTLP, so there the root has no parent; that segment as the parent
        // would be joined too, to one that is missing.
        let otlp = Traces::collect(bodies.iter().flat_map(otlp_spans))
            .judge(|trace, parent| parents.get(trace).is_some_and(|segment| parent.is_empty() || parent == segment));
        let xray = Traces::collect(datagrams.iter().map(|datagram| xray_span(datagram)))
            .judge(|trace, parent| parents.get(trace).is_some_and(|segment| parent == segment));
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

fn xray_span(datagram: &[u8]) -> Ids {
    let start = datagram.iter().position(|byte| *byte == b'\n').expect("a header line") + 1;
    let document: Value = serde_json::from_slice(&datagram[start..]).expect("a document");
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    (text("trace_id").replacen("1-", "", 1).replace('-', ""), text("id"), text("parent_id"))
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

    /// Follows each span upwards, through spans that are there, to a parent that satisfies `is_root`.
    fn judge(&self, is_root: impl Fn(&str, &str) -> bool) -> Arrived {
        let joined = self.0.iter().filter(|((trace, _), parent)| {
            let mut parent = *parent;
            let mut seen = HashSet::new();
            while let Some(above) = self.0.get(&(trace.clone(), parent.clone())) {
                if !seen.insert(parent) {
                    return false;
                }
                parent = above;
            }
            is_root(trace, parent)
        });
        Arrived { spans: self.0.len(), joined: joined.count() }
    }
}
