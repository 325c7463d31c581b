//! What one request contributes: spans, log lines, and counts of what was refused or cut.

use std::sync::Arc;

use super::limits::Limits;
use super::names::Names;
use crate::model::span::{Log, Resource, Span};
use crate::model::trace::Side;
use crate::store::Batch;

/// The reason why all of a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It cannot be decoded.
    #[error("{0}")]
    Malformed(String),
    /// It ends inside of a value.
    #[error("the input ends inside of a value")]
    Truncated,
    /// It exceeds a limit.
    #[error("the request has more than {0}; send smaller batches")]
    TooLarge(&'static str),
}

/// What one request contributes.
#[derive(Debug)]
pub(crate) struct Intake<'a> {
    names: &'a Names,
    /// The limits.
    pub(crate) limits: &'a Limits,
    /// The spans and log lines.
    pub(crate) batch: Batch,
    /// Spans with an invalid id or an unreadable encoding, and log lines with an unreadable encoding.
    pub(crate) rejected: usize,
    /// Log lines without a trace id.
    pub(crate) without_trace: usize,
    /// Attributes, events, links and texts that were cut.
    pub(crate) cut: usize,
    /// The senders, and how many spans each sent.
    pub(crate) senders: Vec<(Arc<Resource>, usize)>,
    values: usize,
}

impl<'a> Intake<'a> {
    /// Returns an empty intake.
    pub(crate) fn new(names: &'a Names, limits: &'a Limits) -> Self {
        Self {
            names,
            limits,
            batch: Batch::default(),
            rejected: 0,
            without_trace: 0,
            cut: 0,
            senders: Vec::new(),
            values: 0,
        }
    }

    /// Returns a key or name, shared with other spans.
    pub(crate) fn name(&mut self, name: &str) -> Arc<str> {
        let text = self.cut_to_limit(name);
        self.names.get(text)
    }

    /// Returns a text within the limit.
    pub(crate) fn text(&mut self, text: &str) -> Box<str> {
        self.cut_to_limit(text).into()
    }

    fn cut_to_limit<'t>(&mut self, text: &'t str) -> &'t str {
        let limit = self.limits.text;
        if text.len() <= limit {
            return text;
        }
        self.cut += 1;
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.get(..end).unwrap_or_default()
    }

    /// Counts an attribute, an event, a link or an item of a list.
    ///
    /// # Errors
    /// If the request has too many.
    pub(crate) fn count(&mut self) -> Result<(), DecodeError> {
        self.values += 1;
        if self.values > self.limits.values { Err(DecodeError::TooLarge("1000000 attributes")) } else { Ok(()) }
    }

    /// Returns whether a list of this length has room for one more. If not, counts the item as cut.
    pub(crate) fn has_room(&mut self, length: usize) -> bool {
        let has_room = length < self.limits.attributes;
        self.cut += usize::from(!has_room);
        has_room
    }

    /// Returns the shared resource that is equal to this one.
    pub(crate) fn resource(&mut self, resource: Resource) -> Arc<Resource> {
        if let Some((known, _)) = self.senders.iter().rev().take(8).find(|(known, _)| **known == resource) {
            return known.clone();
        }
        let resource = Arc::new(resource);
        self.senders.push((resource.clone(), 0));
        resource
    }

    /// Adds a span.
    ///
    /// # Errors
    /// If the request has too many.
    pub(crate) fn push(&mut self, span: Span, side: Side) -> Result<(), DecodeError> {
        self.check_count()?;
        if let Some((_, spans)) = self.senders.iter_mut().rev().find(|(known, _)| Arc::ptr_eq(known, &span.resource)) {
            *spans += 1;
        }
        self.batch.spans.push((Arc::new(span), side));
        Ok(())
    }

    /// Adds a log line.
    ///
    /// # Errors
    /// If the request has too many.
    pub(crate) fn push_log(&mut self, log: Log) -> Result<(), DecodeError> {
        self.check_count()?;
        self.batch.logs.push(log);
        Ok(())
    }

    fn check_count(&self) -> Result<(), DecodeError> {
        let is_full = self.batch.spans.len() + self.batch.logs.len() >= self.limits.spans;
        if is_full { Err(DecodeError::TooLarge("100000 spans")) } else { Ok(()) }
    }
}
