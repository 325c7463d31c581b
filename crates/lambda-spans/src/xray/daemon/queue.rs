//! Documents that wait to be sent. Bounded: the oldest are dropped first.

use std::collections::VecDeque;

use crate::xray::document::Document;

/// Two traces of the size that X-Ray accepts.
const MAX_BYTES: usize = 1024 * 1024;

/// The first documents of all invocations are ahead of all others, so that each root is sent as early as possible.
#[derive(Debug, Default)]
pub(super) struct DocumentQueue {
    first: VecDeque<Document>,
    rest: VecDeque<Document>,
    bytes: usize,
}

impl DocumentQueue {
    /// Appends documents. Returns the number of spans that were dropped because too much is waiting.
    pub(super) fn push(&mut self, documents: Vec<Document>) -> usize {
        for document in documents {
            self.bytes += document.datagram.len();
            if document.is_first { self.first.push_back(document) } else { self.rest.push_back(document) }
        }
        let mut dropped = 0;
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.rest.pop_front().or_else(|| self.first.pop_front()) else { break };
            self.bytes -= oldest.datagram.len();
            dropped += oldest.spans;
        }
        dropped
    }

    pub(super) fn next_size(&self) -> Option<usize> {
        self.first.front().or_else(|| self.rest.front()).map(|document| document.datagram.len())
    }

    pub(super) fn pop(&mut self) -> Option<Document> {
        let document = self.first.pop_front().or_else(|| self.rest.pop_front())?;
        self.bytes -= document.datagram.len();
        Some(document)
    }

    /// Puts back a document that was just popped.
    pub(super) fn put_back(&mut self, document: Document) {
        self.bytes += document.datagram.len();
        if document.is_first { self.first.push_front(document) } else { self.rest.push_front(document) }
    }

    /// Drops all documents. Returns the number of their spans.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        self.first.drain(..).chain(self.rest.drain(..)).map(|document| document.spans).sum()
    }

    /// Drops documents that are not worth sending later.
    pub(super) fn drop_uncounted(&mut self) {
        let bytes = &mut self.bytes;
        self.first.retain(|document| {
            let is_counted = document.spans > 0;
            *bytes -= if is_counted { 0 } else { document.datagram.len() };
            is_counted
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(spans: usize, bytes: usize, is_first: bool) -> Document {
        Document { datagram: vec![b'x'; bytes], spans, is_first }
    }

    fn order(queue: &mut DocumentQueue) -> Vec<usize> {
        std::iter::from_fn(|| queue.pop()).map(|document| document.spans).collect()
    }

    #[test]
    fn first_documents_overtake_waiting_ones() {
        let mut queue = DocumentQueue::default();
        queue.push(vec![document(1, 1, true), document(2, 1, false)]);
        queue.push(vec![document(3, 1, true), document(4, 1, false)]);
        let popped = queue.pop().unwrap();
        queue.put_back(popped);
        assert_eq!(order(&mut queue), [1, 3, 2, 4]);
        assert_eq!((queue.bytes, queue.next_size()), (0, None));
    }

    #[test]
    fn oldest_documents_but_the_first_are_dropped() {
        let mut queue = DocumentQueue::default();
        assert_eq!(queue.push(vec![document(1, 10, true), document(2, MAX_BYTES - 30, false)]), 0);
        assert_eq!(queue.push(vec![document(4, 20, false), document(8, 10, false)]), 2);
        assert_eq!(order(&mut queue), [1, 4, 8]);
    }

    #[test]
    fn uncounted_documents_do_not_wait() {
        let mut queue = DocumentQueue::default();
        queue.push(vec![document(0, 10, true), document(2, 10, true)]);
        queue.drop_uncounted();
        assert_eq!((queue.bytes, queue.clear(), queue.is_empty()), (10, 2, true));
    }
}
