//! Encoded requests that no receiver has accepted yet. Bounded: the oldest is dropped first.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Request;

const MAX_BYTES: usize = 2 * 1024 * 1024;
const MAX_SPANS: usize = 4096;

/// An encoded request and the number of its spans.
#[derive(Debug)]
pub(super) struct EncodedRequest {
    pub(super) request: Request<Bytes>,
    pub(super) spans: usize,
}

#[derive(Debug, Default)]
pub(super) struct RequestQueue {
    requests: VecDeque<EncodedRequest>,
    bytes: usize,
    spans: usize,
    /// The number of batches removed so far, which is the position of the first one.
    left: u64,
}

impl RequestQueue {
    /// Appends a batch.
    pub(super) fn push(&mut self, batch: EncodedRequest) {
        self.bytes += batch.request.body().len();
        self.spans += batch.spans;
        self.requests.push_back(batch);
    }

    /// Drops the oldest batches above the bounds. Returns the number of dropped spans.
    pub(super) fn trim(&mut self) -> usize {
        let mut dropped = 0;
        // The newest batch stays: one batch never exceeds what a receiver accepts.
        while (self.bytes > MAX_BYTES || self.spans > MAX_SPANS) && self.requests.len() > 1 {
            dropped += self.pop();
        }
        dropped
    }

    /// Returns the oldest batch: a ticket for removing it, its request and the number of its spans.
    pub(super) fn front(&self) -> Option<(u64, Request<Bytes>, usize)> {
        self.requests.front().map(|batch| (self.left, batch.request.clone(), batch.spans))
    }

    /// Removes the batch of a ticket if it still exists.
    pub(super) fn remove(&mut self, ticket: u64) -> bool {
        let there = ticket == self.left && !self.requests.is_empty();
        if there {
            self.pop();
        }
        there
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn pop(&mut self) -> usize {
        let Some(batch) = self.requests.pop_front() else { return 0 };
        self.left += 1;
        self.bytes -= batch.request.body().len();
        self.spans -= batch.spans;
        batch.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(spans: usize, bytes: usize) -> EncodedRequest {
        EncodedRequest { request: Request::new(Bytes::from(vec![0; bytes])), spans }
    }

    #[test]
    fn oldest_batches_are_dropped_above_the_span_limit() {
        let mut queue = RequestQueue::default();
        queue.push(batch(1000, 10));
        queue.push(batch(3000, 10));
        assert_eq!(queue.trim(), 0);
        queue.push(batch(97, 10));
        assert_eq!(queue.trim(), 1000);
        assert_eq!(queue.spans, 3097);
    }

    #[test]
    fn oldest_batches_are_dropped_above_the_byte_limit() {
        let mut queue = RequestQueue::default();
        queue.push(batch(1, MAX_BYTES));
        assert_eq!(queue.trim(), 0);
        queue.push(batch(2, 1));
        assert_eq!(queue.trim(), 1);
        assert_eq!(queue.front().map(|(_, _, spans)| spans), Some(2));
    }

    #[test]
    fn newest_batch_is_kept_at_any_size() {
        let mut queue = RequestQueue::default();
        queue.push(batch(MAX_SPANS + 1, MAX_BYTES + 1));
        assert_eq!(queue.trim(), 0);
        assert_eq!(queue.pop(), MAX_SPANS + 1);
        assert_eq!((queue.spans, queue.bytes), (0, 0));
    }

    #[test]
    fn dropped_batch_is_not_removed_twice() {
        let mut queue = RequestQueue::default();
        queue.push(batch(1, MAX_BYTES));
        let (ticket, ..) = queue.front().unwrap();
        queue.push(batch(2, 1));
        assert_eq!(queue.trim(), 1);
        assert!(!queue.remove(ticket));
        let (ticket, ..) = queue.front().unwrap();
        assert!(queue.remove(ticket) && queue.is_empty());
    }
}
