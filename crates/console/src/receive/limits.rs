//! Limits of what one request may contain.

/// Limits of one request. What exceeds the first four is refused; what exceeds the others is cut and counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of a decompressed body.
    pub decompressed: usize,
    /// Spans, or log lines.
    pub spans: usize,
    /// Attributes, events, links and list items of all spans together.
    pub values: usize,
    /// Attributes of a span, an event, a link or a resource; events of a span; links of a span.
    pub attributes: usize,
    /// Bytes of a text.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            decompressed: 32 << 20,
            spans: 100_000,
            values: 1_000_000,
            attributes: 1_000,
            text: 256 << 10,
        }
    }
}
