//! The documents of an invocation: all of its spans in as few datagrams as possible, the root first.

use std::borrow::Cow;
use std::ops::Range;

use opentelemetry::SpanId;
use opentelemetry_sdk::trace::SpanData;

use super::allowance::Allowance;
use super::document::{Document, Documents, HEADER, MAX_OUTERMOST};
use super::limits::MAX_DATAGRAM;
use super::packing::Packing;
use super::place;
use super::role::{Extent, Form};
use crate::trace::importance::{by_importance, is_essential};
use crate::trace::sampling::Reason;
use crate::trace::tree::{SpanTree, is_root};

/// The bytes of `,"subsegments":[]` and of the comma between two spans.
const NESTING: usize = 18;
/// The bytes that are added to a nested span when it becomes a separate document.
const OUTERMOST: usize = 100;
/// The usual size of a document in bytes.
const USUAL: usize = 2048;

/// A span as JSON.
#[derive(Clone, Debug, Default)]
struct Fragment {
    /// Where it is in the buffer; empty for an omitted span.
    range: Range<usize>,
    annotations: usize,
}

/// The spans that a trace's allowance permits, each written once.
struct Fragments<'a> {
    buffer: &'a mut Vec<u8>,
    all: Vec<Fragment>,
    /// The positions of the written spans, the most important first.
    written: Vec<usize>,
    /// Whether the first one is the root.
    has_root: bool,
    /// How many are a root or an error.
    essential: usize,
}

impl Documents {
    /// Appends the documents of finished spans. Returns the number of spans that exceed the allowance. `parent` is the
    /// segment that X-Ray already has for the root span. `left_out` is why OTLP does not get the trace. `buffer` only
    /// provides memory.
    pub(super) fn for_invocation(
        &self,
        spans: &[SpanData],
        (parent, left_out): (Option<SpanId>, Option<Reason>),
        allowance: &mut Allowance,
        buffer: &mut Vec<u8>,
        documents: &mut Vec<Document>,
    ) -> usize {
        buffer.clear();
        let tree = SpanTree::new(spans);
        let fragments = self.fragments(spans, &tree, (parent, left_out), allowance, buffer);
        let kept = fragments.fitting(&tree, allowance);
        let omitted = spans.len() - kept.count;
        let first = documents.len();
        let mut siblings_of = None;
        // An array has siblings only, and those follow each other in the tree.
        let order = if self.arrays { tree.order() } else { fragments.written.as_slice() };
        for top in order.iter().copied().filter(|position| kept.packing.is_top(*position)) {
            let Some(span) = spans.get(top) else { continue };
            let above = kept.parents.get(top).copied().flatten().and_then(|parent| spans.get(parent));
            let above = above.map(|above| above.span_context.span_id());
            let omitted = if is_root(span) { omitted } else { 0 };
            let mut datagram = Vec::with_capacity(USUAL);
            datagram.extend_from_slice(HEADER);
            if omitted > 0 {
                let annotations = fragments.annotations(top);
                let extent = Extent { form: Form::Finished, annotations, omitted, left_out };
                self.write(&mut datagram, span, parent, extent);
            } else if tree.parent(top).is_none() {
                datagram.extend_from_slice(fragments.text(top));
            } else {
                // The parent that is sent, or else the span's own.
                place::write_outermost(&mut datagram, span, above.unwrap_or(span.parent_span_id), fragments.text(top));
            }
            let nested = fragments.nest(&kept.packing, top, &mut datagram);
            allowance.bytes = allowance.bytes.saturating_sub(datagram.len() - HEADER.len());
            let document = Document { datagram, spans: 1 + nested, is_first: documents.len() == first };
            let is_sibling = above.is_some() && siblings_of == above;
            siblings_of = above;
            // The first document is sent alone, so that no other can hold it up.
            let last = documents.get_mut(first + 1..).and_then(<[Document]>::last_mut);
            match last.filter(|last| self.arrays && is_sibling && last.has_room_for(&document)) {
                Some(last) => last.join(&document),
                None => documents.push(document),
            }
        }
        omitted
    }

    /// Returns the documents of spans that have not ended, the root first, within X-Ray's limit for a trace. The final
    /// document of a span replaces its earlier one.
    pub(super) fn in_progress(&self, open: &[SpanData], parent: Option<SpanId>) -> Vec<Document> {
        let Allowance { mut bytes, mut annotations } = Allowance::default();
        let mut documents = Vec::new();
        for span in SpanTree::new(open).order().iter().filter_map(|position| open.get(*position)) {
            let mut datagram = HEADER.to_vec();
            let extent = Extent { form: Form::Open, annotations, omitted: 0, left_out: None };
            annotations -= self.write(&mut datagram, span, parent, extent);
            let Some(left) = bytes.checked_sub(datagram.len()) else { break };
            bytes = left;
            documents.push(Document { datagram, spans: 0, is_first: true });
        }
        documents
    }

    fn fragments<'a>(
        &self,
        spans: &[SpanData],
        tree: &SpanTree,
        (parent, left_out): (Option<SpanId>, Option<Reason>),
        allowance: &mut Allowance,
        buffer: &'a mut Vec<u8>,
    ) -> Fragments<'a> {
        let all = vec![Fragment::default(); spans.len()];
        let mut fragments = Fragments { buffer, all, written: Vec::new(), has_root: false, essential: 0 };
        for position in by_importance(spans, tree) {
            let (Some(span), Some(fragment)) = (spans.get(position), fragments.all.get_mut(position)) else { continue };
            let start = fragments.buffer.len();
            let is_essential = is_essential(span);
            let limit = if is_essential { allowance.bytes } else { allowance.ordinary_bytes() };
            // The root is written in any case.
            let is_the_root = fragments.written.is_empty() && is_root(span);
            if start >= limit && !is_the_root {
                break;
            }
            // A span without a parent is the top of a document.
            let form = if tree.parent(position).is_none() { Form::Finished } else { Form::Inside };
            let left_out = if is_root(span) { left_out } else { None };
            let extent = Extent { form, annotations: allowance.annotations, omitted: 0, left_out };
            fragment.annotations = self.write(fragments.buffer, span, parent, extent);
            fragment.range = start..fragments.buffer.len();
            allowance.annotations -= fragment.annotations;
            fragments.written.push(position);
            fragments.has_root |= is_the_root;
            fragments.essential += usize::from(is_essential);
        }
        fragments
    }
}

/// The spans that are sent.
struct Kept {
    count: usize,
    packing: Packing,
    /// The nearest ancestor of each span that is sent.
    parents: Vec<Option<usize>>,
}

impl Fragments<'_> {
    /// Returns the most important spans whose documents fit into the allowance, and always the root.
    fn fitting(&self, tree: &SpanTree, allowance: &Allowance) -> Kept {
        let fits = |kept: &Kept| {
            let limit = if kept.count > self.essential { allowance.ordinary_bytes() } else { allowance.bytes };
            kept.packing.bytes(OUTERMOST) <= limit
        };
        let all = self.most_important(tree, self.written.len());
        if fits(&all) {
            return all;
        }
        let (mut fitting, mut excessive) = (usize::from(self.has_root), self.written.len());
        while fitting + 1 < excessive {
            let count = usize::midpoint(fitting, excessive);
            if fits(&self.most_important(tree, count)) {
                fitting = count;
            } else {
                excessive = count;
            }
        }
        self.most_important(tree, fitting)
    }

    fn most_important(&self, tree: &SpanTree, count: usize) -> Kept {
        let mut kept = vec![false; self.all.len()];
        for position in self.written.iter().take(count) {
            if let Some(kept) = kept.get_mut(*position) {
                *kept = true;
            }
        }
        let is_kept = |position: &usize| kept.get(*position).is_some_and(|kept| *kept);
        let order = if count == kept.len() {
            Cow::Borrowed(tree.order())
        } else {
            tree.order().iter().copied().filter(is_kept).collect()
        };
        let parents = tree.kept_parents(&kept);
        let sizes: Vec<usize> = self.all.iter().map(|fragment| fragment.range.len() + NESTING).collect();
        let packing = Packing::new(&order, &parents, &sizes, MAX_DATAGRAM - HEADER.len() - MAX_OUTERMOST);
        Kept { count, packing, parents }
    }

    fn text(&self, position: usize) -> &[u8] {
        self.all.get(position).and_then(|fragment| self.buffer.get(fragment.range.clone())).unwrap_or_default()
    }

    fn annotations(&self, position: usize) -> usize {
        self.all.get(position).map_or(0, |fragment| fragment.annotations)
    }

    /// Adds to a datagram that ends with a span all spans that are nested in it. Returns their number.
    fn nest(&self, packing: &Packing, top: usize, datagram: &mut Vec<u8>) -> usize {
        let mut count = 0;
        // For each open span: the next span in it, and whether it has others already.
        let mut open = vec![(packing.first_nested(top), false)];
        datagram.pop();
        while let Some((next, has_others)) = open.last_mut() {
            match next.take() {
                Some(position) => {
                    *next = packing.next_nested(position);
                    let opening: &[u8] = if *has_others { b"," } else { b",\"subsegments\":[" };
                    datagram.extend_from_slice(opening);
                    *has_others = true;
                    datagram.extend_from_slice(self.text(position));
                    datagram.pop();
                    count += 1;
                    open.push((packing.first_nested(position), false));
                }
                None => {
                    let closing: &[u8] = if *has_others { b"]}" } else { b"}" };
                    datagram.extend_from_slice(closing);
                    open.pop();
                }
            }
        }
        count
    }
}

impl Document {
    fn has_room_for(&self, other: &Self) -> bool {
        // Brackets and a comma.
        self.datagram.len() + other.datagram.len() - HEADER.len() + 3 <= MAX_DATAGRAM
    }

    /// Adds another document to the array in this datagram.
    fn join(&mut self, other: &Self) {
        if self.datagram.last() == Some(&b']') {
            self.datagram.pop();
        } else {
            self.datagram.insert(HEADER.len(), b'[');
        }
        self.datagram.push(b',');
        self.datagram.extend_from_slice(other.datagram.get(HEADER.len()..).unwrap_or_default());
        self.datagram.push(b']');
        self.spans += other.spans;
    }
}
