use lambda_spans::{ForwardedSpan, Forwarder, Spans};

use crate::api::cors::Origins;

/// The service name of the pages' spans.
const SERVICE: &str = "cruddur-web";

/// Accepts the spans of web pages.
#[derive(Clone, Debug)]
pub struct BrowserSpans {
    forwarder: Forwarder,
    pub(super) origins: Origins,
}

impl BrowserSpans {
    /// Forwards spans of pages of `origins` to the OTLP destinations of `spans`.
    pub fn new(spans: &Spans, origins: Origins) -> Self {
        Self { forwarder: spans.forwarder(SERVICE), origins }
    }

    /// Forwards the accepted spans and counts the rejected ones.
    pub(super) fn forward(&self, accepted: Vec<ForwardedSpan>, rejected: usize) {
        self.forwarder.reject(rejected);
        self.forwarder.forward(accepted);
    }
}
