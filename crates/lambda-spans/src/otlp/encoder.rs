//! Spans as OTLP requests, ready to be sent and sent again.

use std::cell::Cell;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::compression::Compressor;
use super::gzip;
use super::queue::EncodedRequest;
use super::settings::OtlpSettings;
use crate::trace::importance::is_essential;
use crate::trace::size;

/// Receivers take 5 MB and more; a smaller request is lost at a smaller price.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// X-Ray's limit for one request.
const MAX_BATCH_SPANS: usize = 10_000;
/// The exporter requires a URL. Its requests get the right one later.
const UNUSED_ENDPOINT: &str = "http://localhost/v1/traces";
/// `opentelemetry-otlp`'s exporter over a client that keeps the request instead of sending it. What the exporter
/// would do about a failure, it does on the thread that the handler runs on.
#[derive(Debug)]
pub(super) struct Encoder {
    exporter: SpanExporter,
    uri: Uri,
    headers: HeaderMap,
    compressor: Compressor,
}

impl Encoder {
    pub(super) fn new(settings: OtlpSettings, resource: &Resource) -> Result<Self, ExporterBuildError> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Writer)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(UNUSED_ENDPOINT)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        exporter.set_resource(resource);
        let (uri, headers) = (settings.endpoint.uri(), settings.headers);
        Ok(Self { exporter, uri, headers, compressor: settings.compression.compressor() })
    }

    /// A request that carries no span.
    pub(super) fn encode_nothing(&self) -> Option<EncodedRequest> {
        let request = self.request(Vec::new())?;
        Some(EncodedRequest { request, spans: 0, is_essential: false })
    }

    /// The requests that carry `spans`, none of them above the size that a receiver takes.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Vec<EncodedRequest> {
        let encoded = split(spans).into_iter().filter_map(|batch| {
            let (spans, is_essential) = (batch.len(), batch.iter().any(is_essential));
            Some(EncodedRequest { request: self.request(batch)?, spans, is_essential })
        });
        encoded.collect()
    }

    fn request(&self, spans: Vec<SpanData>) -> Option<Request<Bytes>> {
        // Ready at once and without an error, as its client is.
        self.exporter.export(spans).now_or_never();
        let mut request = WRITTEN.take()?;
        // The exporter reads the standard variables itself, also for the destination that they do not describe. Where one
        // asks for gzip, the body is compressed already.
        let mut encoding = request.headers_mut().remove(CONTENT_ENCODING);
        if encoding.is_some() && !self.compressor.is_gzip() {
            *request.body_mut() = gzip::decompress(request.body())?.into();
            encoding = None;
        }
        if encoding.is_none()
            && let Some((packed, name)) = self.compressor.compress(request.body())
        {
            *request.body_mut() = packed.into();
            encoding = Some(HeaderValue::from_static(name));
        }
        let content_type = request.headers_mut().remove(CONTENT_TYPE);
        // Its headers lack those that this crate reports as unusable, and its URL lacks the query.
        *request.headers_mut() = self.headers.clone();
        *request.uri_mut() = self.uri.clone();
        let own = [(CONTENT_ENCODING, encoding), (CONTENT_TYPE, content_type)];
        request.headers_mut().extend(own.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Some(request)
    }
}

fn split(spans: Vec<SpanData>) -> Vec<Vec<SpanData>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for span in spans {
        let size = size::encoded(&span);
        if (bytes + size > MAX_BATCH_BYTES || batch.len() >= MAX_BATCH_SPANS) && !batch.is_empty() {
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
