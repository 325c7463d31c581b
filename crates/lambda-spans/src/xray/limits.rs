//! How much of a span fits into a document.

/// X-Ray's limit for a document is 64 KB. This limit includes the header, holds for each definition of a KB, and is
/// below the limit of UDP.
pub(super) const MAX_DATAGRAM: usize = 64_000;

/// How much of a span is written, in bytes.
#[derive(Debug)]
pub(super) struct SizeLimits {
    /// Of the value of an attribute that a trace is read for.
    pub(super) kept: usize,
    /// Of the value of any other attribute; 0 leaves it out.
    pub(super) other: usize,
    /// Of all exceptions, of all events and of all links.
    pub(super) list: usize,
    /// Less than everything.
    pub(super) cut: bool,
}

impl SizeLimits {
    pub(super) const WHOLE: Self = Self { kept: MAX_DATAGRAM, other: MAX_DATAGRAM, list: usize::MAX, cut: false };

    /// Tried in this order until the document is small enough, so that the largest parts are cut first.
    pub(super) const LEVELS: [Self; 7] = [
        Self::WHOLE,
        Self { kept: MAX_DATAGRAM, other: 4096, list: 16 * 1024, cut: true },
        Self { kept: MAX_DATAGRAM, other: 1024, list: 16 * 1024, cut: true },
        Self { kept: MAX_DATAGRAM, other: 256, list: 8 * 1024, cut: true },
        Self { kept: MAX_DATAGRAM, other: 0, list: 4 * 1024, cut: true },
        Self { kept: 1024, other: 0, list: 2 * 1024, cut: true },
        Self { kept: 128, other: 0, list: 0, cut: true },
    ];

    /// Of a text that is no attribute of the span.
    pub(super) fn inner(&self) -> usize {
        if self.cut { self.list / 4 } else { MAX_DATAGRAM }
    }
}
