//! Spans as OTLP requests, ready to be sent and sent again.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use http::HeaderValue;
use http::header::CONTENT_ENCODING;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::compression::{Compression, Compressor};
use super::gzip;
use super::queue::{EncodedRequest, RequestBody};
use crate::trace::accounting::SpanCount;
use crate::trace::importance::is_essential;
use crate::trace::size;

/// Receivers accept 5 MB and more; a smaller request is lost at a smaller price.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// X-Ray's limit for one request.
const MAX_BATCH_SPANS: usize = 10_000;
/// The exporter requires a URL. The transport has the right one.
const UNUSED_ENDPOINT: &str = "http://localhost/";

/// `opentelemetry-otlp`'s exporter over a client that keeps the body instead of sending it. The exporter's own retries
/// would block the export of later spans and clone the body.
#[derive(Debug)]
pub(super) struct Encoder {
    /// Locked during an export, so that a caller never gets the body of another caller.
    exporter: Mutex<SpanExporter>,
    written: Written,
    compressor: Compressor,
}

impl Encoder {
    pub(super) fn new(compression: Compression, resource: &Resource) -> Result<Self, ExporterBuildError> {
        let written = Written::default();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(written.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(UNUSED_ENDPOINT)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        exporter.set_resource(resource);
        Ok(Self { exporter: Mutex::new(exporter), written, compressor: compression.compressor() })
    }

    /// Returns the body of a request without spans.
    pub(super) fn encode_nothing(&self) -> Option<RequestBody> {
        self.body(Vec::new())
    }

    /// Returns the requests with `spans`, none of them above the size that a receiver accepts.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> impl Iterator<Item = EncodedRequest> {
        split(spans).into_iter().filter_map(|batch| {
            let (spans, is_essential) = (batch.len(), batch.iter().any(is_essential));
            Some(EncodedRequest { body: self.body(batch)?, spans: SpanCount::new(spans, false), is_essential })
        })
    }

    /// Returns the requests with `spans` of another program. They are dropped before all others.
    pub(super) fn encode_forwarded(&self, spans: Vec<SpanData>) -> impl Iterator<Item = EncodedRequest> {
        split(spans).into_iter().filter_map(|batch| {
            let spans = SpanCount::new(batch.len(), true);
            Some(EncodedRequest { body: self.body(batch)?, spans, is_essential: false })
        })
    }

    fn body(&self, spans: Vec<SpanData>) -> Option<RequestBody> {
        let request = {
            let exporter = self.exporter.lock().unwrap_or_else(PoisonError::into_inner);
            // Ready at once and without an error, as its client is.
            exporter.export(spans).now_or_never();
            self.written.take()?
        };
        self.compressed(request)
    }

    /// Compresses the body of a request that the exporter has written.
    fn compressed(&self, mut request: Request<Bytes>) -> Option<RequestBody> {
        // The exporter compresses if another crate enables its feature `gzip-http` and a standard variable asks for gzip,
        // also for the destination that the variable does not describe.
        let mut encoding = request.headers_mut().remove(CONTENT_ENCODING);
        let mut bytes = request.into_body();
        if encoding.is_some() && !self.compressor.is_gzip() {
            bytes = gzip::decompress(&bytes)?.into();
            encoding = None;
        }
        if encoding.is_none()
            && let Some((packed, name)) = self.compressor.compress(&bytes)
        {
            bytes = packed.into();
            encoding = Some(HeaderValue::from_static(name));
        }
        Some(RequestBody { bytes, encoding })
    }
}

/// Splits spans into batches for one request each.
fn split(spans: Vec<SpanData>) -> Vec<Vec<SpanData>> {
    if spans.len() <= MAX_BATCH_SPANS && spans.iter().map(size::encoded).sum::<usize>() <= MAX_BATCH_BYTES {
        return if spans.is_empty() { Vec::new() } else { vec![spans] };
    }
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
    batches.push(batch);
    batches
}

/// The request that the exporter has written last. The exporter and the encoder share it.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Option<Request<Bytes>>>>);

impl Written {
    fn take(&self) -> Option<Request<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl HttpClient for Written {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        Ok(Response::new(Bytes::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message as _;

    use super::*;
    use crate::trace::tree::tests::span;

    fn encoder(compression: Compression) -> Encoder {
        Encoder::new(compression, &Resource::builder_empty().build()).unwrap()
    }

    fn names(body: &RequestBody) -> Vec<String> {
        assert_eq!(body.encoding, None);
        let request = ExportTraceServiceRequest::decode(body.bytes.clone()).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).map(|span| span.name).collect()
    }

    #[test]
    fn concurrent_callers_get_their_own_spans() {
        let encoder = encoder(Compression::None);
        thread::scope(|scope| {
            for id in 1..=4 {
                let encoder = &encoder;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let encoded: Vec<_> = encoder.encode(vec![span(id, 0, 1)]).collect();
                        let [request] = &encoded[..] else { panic!("one request") };
                        assert_eq!((names(&request.body), request.spans.own), (vec![format!("span {id}")], 1));
                    }
                });
            }
        });
    }

    #[test]
    fn body_that_the_exporter_compressed_is_unpacked() {
        let spans = b"spans".repeat(1000);
        let body = |compression, is_packed| {
            let encoder = encoder(compression);
            let packed = Compression::Gzip.compressor().compress(&spans).unwrap().0;
            let mut request = Request::new(Bytes::from(if is_packed { packed } else { spans.clone() }));
            if is_packed {
                request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            encoder.compressed(request).unwrap()
        };
        for is_packed in [false, true] {
            let plain = body(Compression::None, is_packed);
            assert_eq!((plain.bytes.as_ref(), plain.encoding), (spans.as_slice(), None));
            let packed = body(Compression::Gzip, is_packed);
            assert_eq!(gzip::decompress(&packed.bytes).as_ref(), Some(&spans));
            assert_eq!(packed.encoding, Some(HeaderValue::from_static("gzip")));
        }
    }

    #[test]
    fn spans_above_the_limit_are_split() {
        let large = |id| SpanData { name: "x".repeat(MAX_BATCH_BYTES / 2).into(), ..span(id, 0, 1) };
        let sizes = |spans| split(spans).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes((1..=3).map(large).collect()), [1, 1, 1]);
        let small = |id| SpanData { name: "".into(), ..span(id, 0, 1) };
        assert_eq!(sizes((1..=10_001).map(small).collect()), [10_000, 1]);
        assert_eq!(sizes(vec![span(1, 0, 1)]), [1]);
        assert_eq!(sizes(Vec::new()), Vec::<usize>::new());
    }
}
