//! The documents of a trace, as they arrived.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::refusals::{Refusal, refusals};
use crate::json::{Json, Value};
use crate::model::span::{Document, Segment, Span};
use crate::model::summary::Decimal;
use crate::model::trace::{Sides, Trace};

/// A document in the API.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentRow {
    received_at: Decimal,
    bytes: usize,
    raw: String,
    id: String,
    parent_id: Option<String>,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    refused: Vec<Refusal>,
}

/// The parsed documents of a trace. They are kept as text, which is smaller.
#[derive(Debug)]
pub(crate) struct ParsedDocuments<'a>(HashMap<usize, Json<'a>>);

impl<'a> ParsedDocuments<'a> {
    /// Parses the documents of a trace.
    pub(crate) fn of(trace: &'a Trace) -> Self {
        let documents = segments(trace).map(|(_, segment)| &segment.document);
        let mut parsed = HashMap::new();
        for document in documents {
            let address = Arc::as_ptr(document).addr();
            if !parsed.contains_key(&address)
                && let Ok(json) = Json::parse(&document.raw)
            {
                parsed.insert(address, json);
            }
        }
        Self(parsed)
    }

    /// Returns the part of a document that describes a span.
    pub(crate) fn part(&self, segment: &Segment) -> Option<Value<'_, 'a>> {
        Some(self.document(&segment.document)?.value_at(segment.position as usize))
    }

    fn document(&self, document: &Arc<Document>) -> Option<&Json<'a>> {
        self.0.get(&Arc::as_ptr(document).addr())
    }

    /// Returns the rows of the documents, in the order of their arrival.
    pub(crate) fn rows(&self, trace: &Trace) -> Vec<DocumentRow> {
        let outermost = segments(trace).filter(|(_, segment)| segment.position == 0);
        let rows = outermost.filter_map(|(_, segment)| {
            let root = self.document(&segment.document)?.root();
            let text = |key: &str| root.get(&[key]).and_then(|value| value.str()).map(str::to_owned);
            Some(DocumentRow {
                received_at: Decimal(segment.document.received_at),
                bytes: segment.document.raw.len(),
                raw: segment.document.raw.to_string(),
                id: text("id").unwrap_or_default(),
                parent_id: text("parent_id"),
                name: text("name").unwrap_or_default(),
                kind: if segment.is_segment { "segment" } else { "subsegment" },
                refused: refusals(root, segment.document.received_at),
            })
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| row.received_at);
        rows
    }
}

/// Returns the spans of a trace that are parts of documents.
pub(crate) fn segments(trace: &Trace) -> impl Iterator<Item = (&Span, &Segment)> {
    trace.spans.iter().filter_map(Sides::xray).filter_map(|span| Some((&**span, span.segment.as_deref()?)))
}
