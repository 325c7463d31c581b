//! A trace as X-Ray's console shows it: its documents, the map and the timeline.

pub(crate) mod documents;
pub(crate) mod map;
pub(crate) mod refusals;
pub(crate) mod timeline;

use serde::Serialize;

use crate::model::trace::Trace;
use documents::{DocumentRow, ParsedDocuments};
use map::Map;
use timeline::{Row, Timeline};

/// The view of a trace.
#[derive(Debug, Serialize)]
pub(crate) struct XrayView {
    documents: Vec<DocumentRow>,
    map: Map,
    timeline: Vec<Row>,
}

impl XrayView {
    /// Returns the view of a trace. It is empty if X-Ray got nothing.
    pub(crate) fn new(trace: &Trace) -> Self {
        let parsed = ParsedDocuments::of(trace);
        let mut map = Map::default();
        let timeline = Timeline::new(trace, &parsed, &mut map).rows;
        Self { documents: parsed.rows(trace), map: map.finish(), timeline }
    }
}
