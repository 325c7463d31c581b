//! OTLP over UDP, in the form of AWS's distributions of OpenTelemetry: the daemon's header, a mark of the format, and an
//! OTLP request in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use prost::Message as _;

use super::{AnnotationKeys, OtlpForm};
use crate::trace::accounting::Destinations;
use crate::trace::finished::FinishedSpans;
use crate::trace::importance::{self, is_essential, reduce};
use crate::trace::size;
use crate::trace::tree::is_root;
use crate::xray::allowance::Allowance;
use crate::xray::document::Document;
use crate::xray::limits::MAX_DATAGRAM;

/// The daemon's header, and the mark for the spans of a sampled trace.
const PREFIX: &[u8] = b"{\"format\":\"json\",\"version\":1}\nT1S";
/// The maximum size of a request: base64 writes four bytes for three.
const MAX_REQUEST: usize = (MAX_DATAGRAM - PREFIX.len()) / 4 * 3;
/// The bytes of a message's tag and length.
const FRAME: usize = 6;
/// The part of a request for the resource and the scope; the rest is for spans.
const MAX_SPAN: usize = MAX_REQUEST - 8 * 1024;

/// Writes datagrams with OTLP requests.
#[derive(Debug)]
pub(in crate::xray) struct OtlpDatagrams {
    form: OtlpForm,
    resource: ResourceSpans,
}

impl OtlpDatagrams {
    pub(in crate::xray) fn new(resource: &Resource, annotated: AnnotationKeys) -> Self {
        let ResourceAttributesWithSchema { attributes, schema_url } = resource.into();
        let message = ResourceMessage { attributes: attributes.0, ..ResourceMessage::default() };
        let schema_url = schema_url.unwrap_or_default();
        let resource = ResourceSpans { resource: Some(message), scope_spans: Vec::new(), schema_url };
        Self { form: OtlpForm { annotated, max_span: MAX_SPAN }, resource }
    }

    /// Appends the datagrams of finished spans, the root first. Returns the number of spans that exceed the allowance.
    pub(in crate::xray) fn for_invocation(
        &self,
        finished: FinishedSpans,
        receivers: Destinations,
        allowance: &mut Allowance,
        documents: &mut Vec<Document>,
    ) -> usize {
        let mut spans = self.form.adapted(finished, receivers);
        let bytes: usize = spans.iter().map(size::encoded).sum();
        let omitted = if bytes <= allowance.ordinary_bytes() {
            allowance.bytes -= bytes;
            0
        } else {
            reduce(&mut spans, |span| {
                let bytes = size::encoded(span);
                let limit = if is_essential(span) { allowance.bytes } else { allowance.ordinary_bytes() };
                // The root is sent in any case.
                let fits = bytes <= limit || is_root(span);
                allowance.bytes = allowance.bytes.saturating_sub(if fits { bytes } else { 0 });
                fits
            })
        };
        // Some of them may need another datagram.
        if bytes > MAX_REQUEST / 2 {
            importance::sort(&mut spans);
        }
        let first = documents.len();
        let mut batch = Batch::new(&self.resource);
        for span in spans {
            let scope = span.instrumentation_scope.clone();
            let span = Span::from(span);
            if !batch.has_room_for(&scope, &span) {
                documents.extend(batch.take(documents.len() == first));
            }
            batch.push(scope, span);
        }
        documents.extend(batch.take(documents.len() == first));
        omitted
    }
}

/// The spans of one request.
struct Batch<'a> {
    empty: &'a ResourceSpans,
    scopes: Vec<(InstrumentationScope, ScopeSpans)>,
    spans: usize,
    bytes: usize,
}

impl<'a> Batch<'a> {
    fn new(empty: &'a ResourceSpans) -> Self {
        Self { empty, scopes: Vec::new(), spans: 0, bytes: FRAME + empty.encoded_len() }
    }

    fn has_room_for(&self, scope: &InstrumentationScope, span: &Span) -> bool {
        let known = self.scopes.iter().any(|(known, _)| known == scope);
        let scope = if known { 0 } else { FRAME + empty_scope(scope).encoded_len() };
        self.spans == 0 || self.bytes + scope + FRAME + span.encoded_len() <= MAX_REQUEST
    }

    fn push(&mut self, scope: InstrumentationScope, span: Span) {
        self.spans += 1;
        self.bytes += FRAME + span.encoded_len();
        if let Some((_, scope)) = self.scopes.iter_mut().find(|(known, _)| *known == scope) {
            return scope.spans.push(span);
        }
        let mut spans = empty_scope(&scope);
        self.bytes += FRAME + spans.encoded_len();
        spans.spans.push(span);
        self.scopes.push((scope, spans));
    }

    /// Returns the datagram of the spans, if there are any, and starts the next one.
    fn take(&mut self, is_first: bool) -> Option<Document> {
        if self.spans == 0 {
            return None;
        }
        let Self { scopes, spans, .. } = std::mem::replace(self, Self::new(self.empty));
        let scope_spans = scopes.into_iter().map(|(_, spans)| spans).collect();
        let request =
            ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..self.empty.clone() }] };
        let mut text = String::new();
        STANDARD.encode_string(request.encode_to_vec(), &mut text);
        let datagram = [PREFIX, text.as_bytes()].concat();
        Some(Document { datagram, spans, is_first })
    }
}

fn empty_scope(scope: &InstrumentationScope) -> ScopeSpans {
    let schema_url = scope.schema_url().unwrap_or_default().to_owned();
    ScopeSpans { scope: Some((scope, None).into()), spans: Vec::new(), schema_url }
}
