//! How many bytes of a span are written into a document.

/// X-Ray's limit for a document is 64 KB. This value includes the header, is below both definitions of 64 KB and below
/// the limit of UDP.
pub(super) const MAX_DATAGRAM: usize = 64_000;

/// Limits of a span's parts, in bytes.
#[derive(Debug)]
pub(super) struct SizeLimits {
    /// For the value of an attribute that readers of a trace need most.
    pub(super) kept: usize,
    /// For the value of any other attribute; 0 omits it.
    pub(super) other: usize,
    /// For all exceptions, for all events and for all links.
    pub(super) list: usize,
    /// Whether something is omitted.
    pub(super) cut: bool,
}

impl SizeLimits {
    pub(super) const WHOLE: Self = Self { kept: MAX_DATAGRAM, other: MAX_DATAGRAM, list: usize::MAX, cut: false };

    /// The steps, tried in this order until the document is small enough. The largest parts are cut first.
    pub(super) const LEVELS: [Self; 7] = [
        Self::WHOLE,
        Self { kept: MAX_DATAGRAM, other: 4096, list: 16 * 1024, cut: true },
        Self { kept: MAX_DATAGRAM, other: 1024, list: 16 * 1024, cut: true },
        Self { kept: MAX_DATAGRAM, other: 256, list: 8 * 1024, cut: true },
        Self { kept: MAX_DATAGRAM, other: 0, list: 4 * 1024, cut: true },
        Self { kept: 1024, other: 0, list: 2 * 1024, cut: true },
        Self { kept: 128, other: 0, list: 0, cut: true },
    ];

    /// For a text that is not an attribute of the span.
    pub(super) fn inner(&self) -> usize {
        if self.cut { self.list / 4 } else { MAX_DATAGRAM }
    }
}
