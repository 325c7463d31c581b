//! Encoded requests that no receiver has accepted yet. Bounded: the oldest is dropped first.

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderValue;
use tracing::warn;

use crate::trace::accounting::{Destination, SpanCount};

/// The maximum size of waiting requests: some 10,000 spans without compression, and many more with it.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The size of a request's URL and headers, in bytes.
const REQUEST_OVERHEAD: usize = 1024;

/// The body of a request, and its `Content-Encoding`. Clones share the bytes.
#[derive(Clone, Debug)]
pub(super) struct RequestBody {
    pub(super) bytes: Bytes,
    pub(super) encoding: Option<HeaderValue>,
}

/// An encoded request and the number of its spans.
#[derive(Debug)]
pub(super) struct EncodedRequest {
    pub(super) body: RequestBody,
    pub(super) spans: SpanCount,
    /// Whether it contains a root or an error. Other requests are dropped before it.
    pub(super) is_essential: bool,
}

impl EncodedRequest {
    fn bytes(&self) -> usize {
        self.body.bytes.len() + REQUEST_OVERHEAD
    }
}

#[derive(Debug)]
pub(super) struct RequestQueue {
    destination: Destination,
    /// Each request with its ticket.
    requests: VecDeque<(u64, EncodedRequest)>,
    bytes: usize,
    next_ticket: u64,
    has_overflowed: bool,
}

impl RequestQueue {
    pub(super) fn new(destination: Destination) -> Self {
        Self { destination, requests: VecDeque::new(), bytes: 0, next_ticket: 0, has_overflowed: false }
    }

    /// Appends a batch.
    pub(super) fn push(&mut self, batch: EncodedRequest) {
        self.bytes += batch.bytes();
        self.requests.push_back((self.next_ticket, batch));
        self.next_ticket += 1;
    }

    /// Drops the oldest batches above the bound. Returns the number of dropped spans.
    pub(super) fn trim(&mut self) -> SpanCount {
        let mut dropped = SpanCount::default();
        // The newest batch stays: one batch never exceeds what a receiver accepts.
        while self.bytes > MAX_BYTES && self.requests.len() > 1 {
            let older = self.requests.iter().take(self.requests.len() - 1);
            let oldest = older.enumerate().find(|(_, (_, batch))| !batch.is_essential).map_or(0, |(oldest, _)| oldest);
            dropped += self.remove_at(oldest);
        }
        if dropped.all() > 0 && !self.has_overflowed {
            self.has_overflowed = true;
            warn!(
                destination = self.destination.name(),
                spans = dropped.all(),
                "spans for OTLP were dropped, because more than 4 MiB wait for the receiver; further drops are \
                 counted, not logged"
            );
        }
        dropped
    }

    /// Returns the oldest batch: a ticket for removing it, its body and the number of its spans.
    pub(super) fn front(&self) -> Option<(u64, RequestBody, SpanCount)> {
        self.requests.front().map(|(ticket, batch)| (*ticket, batch.body.clone(), batch.spans))
    }

    /// Removes the batch of a ticket if it still exists.
    pub(super) fn remove(&mut self, ticket: u64) -> bool {
        let place = self.requests.iter().position(|(known, _)| *known == ticket);
        place.map(|place| self.remove_at(place)).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn remove_at(&mut self, place: usize) -> SpanCount {
        let Some((_, batch)) = self.requests.remove(place) else { return SpanCount::default() };
        self.bytes -= batch.bytes();
        batch.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_spans_are_dropped_before_own_errors() {
        let mut queue = RequestQueue::new(Destination::Otlp);
        queue.push(batch(2, MAX_BYTES / 2));
        queue.push(EncodedRequest { spans: SpanCount::new(5, true), is_essential: false, ..batch(0, MAX_BYTES / 2) });
        queue.push(batch(3, MAX_BYTES / 2));
        assert_eq!(queue.trim(), SpanCount { own: 2, forwarded: 5 });
        assert_eq!(queue.front().map(|(_, _, spans)| spans), Some(SpanCount::new(3, false)));
    }

    fn batch(spans: usize, bytes: usize) -> EncodedRequest {
        let spans = SpanCount::new(spans, false);
        let body = RequestBody { bytes: vec![0; bytes].into(), encoding: None };
        EncodedRequest { body, spans, is_essential: true }
    }

    #[test]
    fn oldest_batches_are_dropped_above_the_byte_limit() {
        let mut queue = RequestQueue::new(Destination::Otlp);
        queue.push(batch(1, MAX_BYTES));
        assert_eq!(queue.trim().all(), 0);
        queue.push(batch(2, 1));
        assert_eq!(queue.trim().all(), 1);
        assert_eq!(queue.front().map(|(_, _, spans)| spans.all()), Some(2));
    }

    #[test]
    fn many_small_batches_are_bounded() {
        let mut queue = RequestQueue::new(Destination::Otlp);
        for _ in 0..5_000 {
            queue.push(batch(1, 0));
        }
        assert_eq!(queue.trim().all(), 5_000 - MAX_BYTES / REQUEST_OVERHEAD);
    }

    #[test]
    fn batch_without_root_and_error_is_dropped_first() {
        let mut queue = RequestQueue::new(Destination::Otlp);
        queue.push(batch(1, MAX_BYTES / 3));
        queue.push(EncodedRequest { is_essential: false, ..batch(2, MAX_BYTES / 3) });
        queue.push(EncodedRequest { is_essential: false, ..batch(4, MAX_BYTES / 3) });
        assert_eq!(queue.trim().all(), 2);
        queue.push(batch(8, MAX_BYTES));
        assert_eq!(queue.trim().all(), 5);
    }

    #[test]
    fn newest_batch_is_kept_at_any_size() {
        let mut queue = RequestQueue::new(Destination::Otlp);
        queue.push(batch(10, MAX_BYTES + 1));
        assert_eq!(queue.trim().all(), 0);
        assert_eq!(queue.remove_at(0).all(), 10);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn dropped_batch_is_not_removed_twice() {
        let mut queue = RequestQueue::new(Destination::Otlp);
        queue.push(batch(1, MAX_BYTES));
        let (ticket, ..) = queue.front().unwrap();
        queue.push(batch(2, 1));
        assert_eq!(queue.trim().all(), 1);
        assert!(!queue.remove(ticket));
        let (ticket, ..) = queue.front().unwrap();
        assert!(queue.remove(ticket) && queue.is_empty());
    }
}
