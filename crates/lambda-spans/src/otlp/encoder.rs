//! Spans as OTLP requests, ready to be sent and sent again.

use std::cell::Cell;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use http::HeaderValue;
use http::header::CONTENT_ENCODING;
use opentelemetry::Value;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::compression::Compressor;
use super::queue::EncodedRequest;
use super::settings::OtlpSettings;
use crate::trace::importance::is_essential;

/// Receivers take 5 MB and more; a smaller request is lost at a smaller price.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// What a span takes besides its texts: ids, times, keys of the protocol.
const SPAN_OVERHEAD: usize = 96;

/// `opentelemetry-otlp`'s exporter over a client that keeps the request instead of sending it. What the exporter
/// would do about a failure, it does on the thread that the handler runs on.
#[derive(Debug)]
pub(super) struct Encoder {
    exporter: SpanExporter,
    compressor: Compressor,
}

impl Encoder {
    pub(super) fn new(settings: OtlpSettings, resource: &Resource) -> Result<Self, ExporterBuildError> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Writer)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint)
            .with_headers(settings.headers)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        exporter.set_resource(resource);
        Ok(Self { exporter, compressor: settings.compression.compressor() })
    }

    /// A request that carries no span.
    pub(super) fn encode_nothing(&self) -> Option<EncodedRequest> {
        self.exporter.export(Vec::new()).now_or_never();
        let request = self.packed(WRITTEN.take()?);
        Some(EncodedRequest { request, spans: 0, is_essential: false })
    }

    /// The requests that carry `spans`, none of them above the size that a receiver takes.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Vec<EncodedRequest> {
        let mut batches = Vec::new();
        for spans in split(spans) {
            let (count, is_essential) = (spans.len(), spans.iter().any(is_essential));
            // Ready at once and without an error, as its client is.
            self.exporter.export(spans).now_or_never();
            batches.extend(WRITTEN.take().map(|request| {
                let request = self.packed(request);
                EncodedRequest { request, spans: count, is_essential }
            }));
        }
        batches
    }

    fn packed(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        // The exporter reads the standard variables itself: where one asks for gzip, it has done it.
        if request.headers().contains_key(CONTENT_ENCODING) {
            return request;
        }
        if let Some((packed, encoding)) = self.compressor.compress(request.body()) {
            *request.body_mut() = packed.into();
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        request
    }
}

fn split(spans: Vec<SpanData>) -> Vec<Vec<SpanData>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
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
    let events = span.events.iter().flat_map(|event| &event.attributes);
    let links = span.links.iter().flat_map(|link| &link.attributes);
    let attributes = span.attributes.iter().chain(events).chain(links);
    let attributes: usize = attributes.map(|attribute| attribute.key.as_str().len() + text(&attribute.value)).sum();
    SPAN_OVERHEAD + span.name.len() + attributes + (span.events.len() + span.links.links.len()) * SPAN_OVERHEAD
}

thread_local! {
    /// The request that an exporter has written last on this thread.
    static WRITTEN: Cell<Option<Request<Bytes>>> = const { Cell::new(None) };
}

#[derive(Debug)]
struct Writer;

#[async_trait]
impl HttpClient for Writer {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        WRITTEN.set(Some(request));
        Ok(Response::new(Bytes::new()))
    }
}
