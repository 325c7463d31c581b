//! The requests that the receiver decoded.

use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::watch;

use crate::with_timeout;

/// Everything that the receiver accepted. Requests that get an error response are only in `arrivals`.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Each span with its resource attributes.
    pub spans: Vec<(Vec<(String, String)>, Span)>,
    /// The headers of each accepted request.
    pub requests: Vec<HeaderMap>,
    /// When the first accepted request arrived.
    pub first_received_at: Option<Instant>,
    /// When each request arrived, accepted or not.
    pub arrivals: Vec<Instant>,
}

#[derive(Debug)]
pub(super) struct Inbox {
    collected: Mutex<Collected>,
    arrived: watch::Sender<usize>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { collected: Mutex::default(), arrived: watch::Sender::new(0) }
    }

    /// Decodes and stores an accepted request.
    pub(super) fn accept(&self, headers: HeaderMap, body: &[u8]) {
        let mut plain = Vec::new();
        if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
            GzDecoder::new(body).read_to_end(&mut plain).expect("gzip");
        } else {
            plain.extend_from_slice(body);
        }
        let request = ExportTraceServiceRequest::decode(plain.as_slice()).expect("protobuf");
        let mut collected = self.lock();
        for resource_spans in request.resource_spans {
            let attributes = resource_spans.resource.map(|resource| resource.attributes).unwrap_or_default();
            let resource: Vec<_> =
                attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect();
            let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            collected.spans.extend(spans.map(|span| (resource.clone(), span)));
        }
        collected.requests.push(headers);
        collected.first_received_at.get_or_insert_with(Instant::now);
    }

    /// Counts a request, accepted or not.
    pub(super) fn record_arrival(&self) {
        self.lock().arrivals.push(Instant::now());
        self.arrived.send_modify(|count| *count += 1);
    }

    pub(super) async fn wait_for_requests(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        with_timeout(arrived.wait_for(|arrived| *arrived >= count)).await.expect("the receiver is running");
    }

    pub(super) fn collected(&self) -> Collected {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}
