//! The spans of an invocation as a tree: indexed once, without recursion.

use std::collections::HashMap;

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;

/// Returns whether `span` is the root of its invocation or request.
pub(crate) fn is_root(span: &SpanData) -> bool {
    span.parent_span_is_remote || span.parent_span_id == SpanId::INVALID
}

/// Positions of spans in a slice, with the relations between them.
#[derive(Debug)]
pub(crate) struct SpanTree {
    nodes: Vec<Node>,
    order: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    parent: Option<usize>,
    first_child: Option<usize>,
    next_sibling: Option<usize>,
    /// 1 for a span without a parent in the slice, 0 for a span that is not placed yet.
    level: usize,
}

impl SpanTree {
    pub(crate) fn new(spans: &[SpanData]) -> Self {
        let positions: HashMap<SpanId, usize> =
            spans.iter().enumerate().map(|(position, span)| (span.span_context.span_id(), position)).collect();
        let mut tree = Self { nodes: vec![Node::default(); spans.len()], order: Vec::with_capacity(spans.len()) };
        // From the last to the first, so that siblings keep their order.
        for (position, span) in spans.iter().enumerate().rev() {
            let parent = if is_root(span) { None } else { positions.get(&span.parent_span_id) };
            if let Some(parent) = parent {
                let next_sibling = tree.nodes.get_mut(*parent).and_then(|node| node.first_child.replace(position));
                if let Some(node) = tree.nodes.get_mut(position) {
                    (node.parent, node.next_sibling) = (Some(*parent), next_sibling);
                }
            }
        }
        tree.place(spans);
        tree
    }

    /// Orders the spans level by level: the root first, then other spans without a parent, then their children.
    fn place(&mut self, spans: &[SpanData]) {
        for roots in [true, false] {
            for (position, span) in spans.iter().enumerate() {
                if self.parent(position).is_none() && is_root(span) == roots {
                    self.push(position, 1);
                }
            }
        }
        let mut next = 0;
        for position in 0..spans.len() {
            next = self.place_children(next);
            // Only a span in a circle of parents is not placed yet. The circle is broken here.
            if self.level(position) == 0 {
                if let Some(node) = self.nodes.get_mut(position) {
                    node.parent = None;
                }
                self.push(position, 1);
            }
        }
        self.place_children(next);
    }

    fn place_children(&mut self, mut next: usize) -> usize {
        while let Some(parent) = self.order.get(next).copied() {
            next += 1;
            let level = self.level(parent) + 1;
            let mut child = self.nodes.get(parent).and_then(|node| node.first_child);
            while let Some(position) = child {
                if self.level(position) == 0 {
                    self.push(position, level);
                }
                child = self.nodes.get(position).and_then(|node| node.next_sibling);
            }
        }
        next
    }

    fn push(&mut self, position: usize, level: usize) {
        if let Some(node) = self.nodes.get_mut(position) {
            node.level = level;
            self.order.push(position);
        }
    }

    /// Returns all positions: parents before their children, the root first.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn parent(&self, position: usize) -> Option<usize> {
        self.nodes.get(position)?.parent
    }

    /// Returns the number of spans from the top to this one.
    pub(crate) fn level(&self, position: usize) -> usize {
        self.nodes.get(position).map_or(0, |node| node.level)
    }

    /// Returns the children of a span in the order of the slice.
    pub(crate) fn children(&self, position: usize) -> impl Iterator<Item = usize> {
        let first = self.nodes.get(position).and_then(|node| node.first_child);
        std::iter::successors(first, |child| self.nodes.get(*child)?.next_sibling)
            // A broken circle leaves the child in the list of its former parent.
            .filter(move |child| self.parent(*child) == Some(position))
    }

    /// Returns the nearest ancestor for which `kept` is true, for each span.
    pub(crate) fn kept_parents(&self, kept: &[bool]) -> Vec<Option<usize>> {
        let mut parents = vec![None; self.nodes.len()];
        for position in &self.order {
            let Some(parent) = self.parent(*position) else { continue };
            let is_kept = kept.get(parent).is_some_and(|kept| *kept);
            let above = if is_kept { Some(parent) } else { parents.get(parent).copied().flatten() };
            if let Some(place) = parents.get_mut(*position) {
                *place = above;
            }
        }
        parents
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceId, TraceState};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    /// Returns a span of `milliseconds`; parent 0 makes it the root.
    pub(crate) fn span(id: u64, parent: u64, milliseconds: u64) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(0x5759e988bd862e3fe1be46a994272793_u128),
                SpanId::from(id),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: SpanId::from(parent),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: format!("span {id}").into(),
            start_time: UNIX_EPOCH,
            end_time: UNIX_EPOCH + Duration::from_millis(milliseconds),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    fn tree(spans: &[(u64, u64)]) -> SpanTree {
        SpanTree::new(&spans.iter().map(|(id, parent)| span(*id, *parent, 1)).collect::<Vec<_>>())
    }

    #[test]
    fn root_is_first_and_parents_precede_children() {
        let tree = tree(&[(3, 2), (9, 8), (2, 1), (4, 1), (1, 0)]);
        assert_eq!(tree.order(), [4, 1, 2, 3, 0]);
        assert_eq!(tree.children(4).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((tree.level(4), tree.level(1), tree.level(2), tree.level(0)), (1, 1, 2, 3));
        assert_eq!((tree.parent(4), tree.parent(1), tree.parent(0)), (None, None, Some(2)));
    }

    #[test]
    fn circle_of_parents_is_broken() {
        let tree = tree(&[(1, 3), (2, 1), (3, 2), (4, 4)]);
        assert_eq!(tree.order(), [0, 1, 2, 3]);
        assert_eq!((tree.parent(0), tree.parent(3)), (None, None));
        assert_eq!((tree.children(2).count(), tree.children(3).count()), (0, 0));
    }

    #[test]
    fn omitted_parent_is_replaced_by_its_parent() {
        let tree = tree(&[(1, 0), (2, 1), (3, 2), (4, 3)]);
        assert_eq!(tree.kept_parents(&[true, false, false, true]), [None, Some(0), Some(0), Some(0)]);
        assert_eq!(tree.kept_parents(&[false; 4]), [None; 4]);
    }

    #[test]
    fn ten_thousand_levels_are_indexed() {
        let spans: Vec<_> = (1..=10_000).map(|id| (id, id - 1)).collect();
        assert_eq!(tree(&spans).level(9_999), 10_000);
    }
}
