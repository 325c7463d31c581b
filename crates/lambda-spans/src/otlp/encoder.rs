//! Spans as OTLP requests, ready to be sent and sent again.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use opentelemetry::Value;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

use super::compression::Compressor;
use super::queue::EncodedRequest;
use super::settings::OtlpSettings;

/// Receivers take 5 MB and more; a smaller request is lost at a smaller price.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// What a span takes besides its texts: ids, times, keys of the protocol.
const SPAN_OVERHEAD: usize = 96;

/// Encodes spans without `opentelemetry-otlp`'s exporter, which reads variables of its own and fails if one is malformed.
#[derive(Debug)]
pub(super) struct Encoder {
    uri: Uri,
    headers: HeaderMap,
    resource: ResourceAttributesWithSchema,
    compressor: Compressor,
}

impl Encoder {
    pub(super) fn new(settings: OtlpSettings, resource: &Resource) -> Self {
        let mut headers = settings.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Self {
            uri: settings.endpoint.uri(),
            headers,
            resource: resource.into(),
            compressor: settings.compression.compressor(),
        }
    }

    /// A request that carries no span.
    pub(super) fn encode_nothing(&self) -> EncodedRequest {
        self.request(Vec::new())
    }

    /// The requests that carry `spans`, none of them above the size that a receiver takes.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Vec<EncodedRequest> {
        split(spans).into_iter().map(|spans| self.request(spans)).collect()
    }

    fn request(&self, spans: Vec<SpanData>) -> EncodedRequest {
        let count = spans.len();
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        *request.body_mut() = match self.compressor.compress(&body) {
            Some((packed, encoding)) => {
                request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
                packed.into()
            }
            None => body.into(),
        };
        EncodedRequest { request, spans: count }
    }
}

fn split(spans: Vec<SpanData>) -> Vec<Vec<SpanData>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::with_capacity(spans.len()), 0);
    for span in spans {
        let size = size(&span);
        if bytes + size > MAX_BATCH_BYTES && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(span);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

fn size(span: &SpanData) -> usize {
    let text = |value: &Value| if let Value::String(text) = value { text.as_str().len() } else { value.as_str().len() };
    let attributes = span.attributes.iter().chain(span.events.iter().flat_map(|event| &event.attributes));
    let attributes: usize = attributes.map(|attribute| attribute.key.as_str().len() + text(&attribute.value)).sum();
    SPAN_OVERHEAD + span.name.len() + attributes + (span.events.len() + span.links.links.len()) * SPAN_OVERHEAD
}
