//! Requests that are not accepted yet: bounded, the oldest is given up first.

use std::collections::VecDeque;

use http::Request;
use opentelemetry_http::Bytes;

const MAX_BYTES: usize = 2 * 1024 * 1024;
const MAX_SPANS: usize = 4096;

/// An encoded request and how many spans it carries.
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
    /// How many batches have left: the place of the first, counted from the beginning of time.
    left: u64,
}

impl RequestQueue {
    /// Adds a batch at the end.
    pub(super) fn push(&mut self, batch: EncodedRequest) {
        self.bytes += batch.request.body().len();
        self.spans += batch.spans;
        self.requests.push_back(batch);
    }

    /// Gives up what is more than may be carried. Returns the number of its spans.
    pub(super) fn trim(&mut self) -> usize {
        let mut dropped = 0;
        // The newest stays: one batch is always within what a receiver takes.
        while (self.bytes > MAX_BYTES || self.spans > MAX_SPANS) && self.requests.len() > 1 {
            dropped += self.pop();
        }
        dropped
    }

    /// The oldest batch: a ticket to remove it by, its request, the number of its spans.
    pub(super) fn front(&self) -> Option<(u64, Request<Bytes>, usize)> {
        self.requests.front().map(|batch| (self.left, batch.request.clone(), batch.spans))
    }

    /// Removes the batch of a ticket, if it is still there.
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
    fn the_oldest_go_first_when_there_are_too_many_spans() {
        let mut queue = RequestQueue::default();
        queue.push(batch(1000, 10));
        queue.push(batch(3000, 10));
        assert_eq!(queue.trim(), 0);
        queue.push(batch(97, 10));
        assert_eq!(queue.trim(), 1000);
        assert_eq!(queue.spans, 3097);
    }

    #[test]
    fn the_oldest_go_first_when_there_are_too_many_bytes() {
        let mut queue = RequestQueue::default();
        queue.push(batch(1, MAX_BYTES));
        assert_eq!(queue.trim(), 0);
        queue.push(batch(2, 1));
        assert_eq!(queue.trim(), 1);
        assert_eq!(queue.front().map(|(_, _, spans)| spans), Some(2));
    }

    #[test]
    fn one_batch_is_kept_however_large_it_is() {
        let mut queue = RequestQueue::default();
        queue.push(batch(MAX_SPANS + 1, MAX_BYTES + 1));
        assert_eq!(queue.trim(), 0);
        assert_eq!(queue.pop(), MAX_SPANS + 1);
        assert_eq!((queue.spans, queue.bytes), (0, 0));
    }

    #[test]
    fn a_batch_that_was_given_up_while_it_was_sent_is_not_removed_again() {
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
