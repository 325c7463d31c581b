//! The spans of a trace as a tree. Odd traces have one too: placeholders stand for missing parents, and cycles are cut.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::clock::Nanos;
use crate::model::ids::SpanId;
use crate::model::span::Kind;
use crate::model::summary::{Parent, last_end, parent};
use crate::model::trace::Trace;

/// A span or a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// The id of the span, or of the missing parent.
    pub(crate) id: SpanId,
    /// The position in the trace's list of spans; `None` for a placeholder.
    pub(crate) span: Option<usize>,
    /// The kind.
    pub(crate) kind: Kind,
    /// The parent's position in the tree.
    pub(crate) parent: Option<usize>,
    /// The number of ancestors.
    pub(crate) depth: usize,
    /// The positions of the children in the tree, by start.
    pub(crate) children: Vec<usize>,
    /// The start.
    pub(crate) start: Nanos,
    /// The end, never before the start. A span in progress ends with the trace's last span.
    pub(crate) end: Nanos,
}

impl Node {
    /// Returns the duration.
    pub(crate) fn duration(&self) -> Nanos {
        self.end - self.start
    }
}

/// The nodes in depth-first order, parents before children.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// The nodes.
    pub(crate) nodes: Vec<Node>,
    /// The ids of spans on a cycle.
    pub(crate) cycles: Vec<SpanId>,
    /// The ids of spans that are their own parents.
    pub(crate) self_parents: Vec<SpanId>,
    /// The ids of spans whose parent is missing.
    pub(crate) orphans: Vec<SpanId>,
}

/// A node before it has its place.
struct Draft {
    id: SpanId,
    span: Option<usize>,
    kind: Kind,
    parent: Option<usize>,
    start: Nanos,
    end: Nanos,
}

impl Tree {
    /// Returns the tree of a trace.
    pub(crate) fn of(trace: &Trace) -> Self {
        let last = last_end(trace);
        let mut tree = Self::default();
        let mut placeholders: HashMap<SpanId, usize> = HashMap::new();
        let mut drafts: Vec<Draft> = trace
            .spans
            .iter()
            .enumerate()
            .map(|(position, sides)| {
                let span = sides.main();
                let end = sides.end().unwrap_or(last).max(span.start);
                Draft { id: span.id, span: Some(position), kind: span.kind, parent: None, start: span.start, end }
            })
            .collect();
        for (position, sides) in trace.spans.iter().enumerate() {
            let id = sides.main().id;
            if sides.main().parent == Some(id) {
                tree.self_parents.push(id);
            }
            let parent = match parent(trace, sides) {
                Parent::None => continue,
                Parent::Known(parent) => parent,
                Parent::Unknown(missing) => {
                    tree.orphans.push(id);
                    *placeholders.entry(missing).or_insert_with(|| {
                        let kind = Kind::Unspecified;
                        drafts.push(Draft { id: missing, span: None, kind, parent: None, start: Nanos::MAX, end: 0 });
                        drafts.len() - 1
                    })
                }
            };
            let Some(draft) = drafts.get_mut(position) else { continue };
            draft.parent = Some(parent);
            let (start, end) = (draft.start, draft.end);
            if let Some(placeholder) = drafts.get_mut(parent).filter(|draft| draft.span.is_none()) {
                placeholder.start = placeholder.start.min(start);
                placeholder.end = placeholder.end.max(end);
            }
        }
        tree.cut_cycles(&mut drafts);
        tree.arrange(&drafts);
        tree
    }

    /// Makes the first span of each cycle a root.
    fn cut_cycles(&mut self, drafts: &mut [Draft]) {
        const NEW: u8 = 0;
        const ON_PATH: u8 = 1;
        const DONE: u8 = 2;
        let mut states = vec![NEW; drafts.len()];
        for position in 0..drafts.len() {
            let mut path = Vec::new();
            let mut next = Some(position);
            while let Some(at) = next {
                let Some(state) = states.get_mut(at) else { break };
                if *state != NEW {
                    break;
                }
                *state = ON_PATH;
                path.push(at);
                next = drafts.get(at).and_then(|draft| draft.parent);
            }
            let cycle = next.filter(|at| states.get(*at) == Some(&ON_PATH));
            if let Some(from) = cycle.and_then(|at| path.iter().position(|on_path| *on_path == at)) {
                let cycle = path.get(from..).unwrap_or_default();
                self.cycles.extend(cycle.iter().filter_map(|at| drafts.get(*at)).map(|draft| draft.id));
                let first = cycle.iter().copied().min_by_key(|at| drafts.get(*at).map(|draft| (draft.start, *at)));
                if let Some(draft) = first.and_then(|at| drafts.get_mut(at)) {
                    draft.parent = None;
                }
            }
            for at in path {
                if let Some(state) = states.get_mut(at) {
                    *state = DONE;
                }
            }
        }
    }

    /// Brings the nodes into depth-first order, siblings by start.
    fn arrange(&mut self, drafts: &[Draft]) {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
        let mut roots = Vec::new();
        let mut order: Vec<usize> = (0..drafts.len()).collect();
        order.sort_by_key(|at| drafts.get(*at).map(|draft| (draft.start, Reverse(draft.end), draft.id)));
        for at in order {
            match drafts.get(at).and_then(|draft| draft.parent).and_then(|parent| children.get_mut(parent)) {
                Some(siblings) => siblings.push(at),
                None => roots.push(at),
            }
        }
        self.nodes.reserve(drafts.len());
        let mut open: Vec<(usize, Option<usize>, usize)> =
            roots.into_iter().rev().map(|root| (root, None, 0)).collect();
        while let Some((at, parent, depth)) = open.pop() {
            let Some(draft) = drafts.get(at) else { continue };
            let position = self.nodes.len();
            if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                parent.children.push(position);
            }
            self.nodes.push(Node {
                id: draft.id,
                span: draft.span,
                kind: draft.kind,
                parent,
                depth,
                children: Vec::new(),
                start: draft.start,
                end: draft.end,
            });
            let below = children.get(at).map(Vec::as_slice).unwrap_or_default();
            open.extend(below.iter().rev().map(|child| (*child, Some(position), depth + 1)));
        }
    }

    /// Returns the positions of the topmost nodes.
    pub(crate) fn roots(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.parent.is_none()).map(|(position, _)| position)
    }

    /// Returns the root of the trace: the first span without a parent, or else the first placeholder.
    pub(crate) fn main_root(&self) -> Option<usize> {
        let node = |root: &usize| self.nodes.get(*root);
        self.roots().find(|root| node(root).is_some_and(|node| node.span.is_some())).or_else(|| self.roots().next())
    }

    /// Returns the time of each node in which none of its children ran.
    pub(crate) fn self_times(&self) -> Vec<Nanos> {
        let of = |node: &Node| {
            // Children are ordered by start.
            let (mut covered, mut until) = (0, node.start);
            for child in node.children.iter().filter_map(|child| self.nodes.get(*child)) {
                let (start, end) = (child.start.max(until), child.end.min(node.end));
                if end > start {
                    covered += end - start;
                    until = end;
                }
            }
            node.duration() - covered
        };
        self.nodes.iter().map(of).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::ids::TraceId;
    use crate::model::span::{Resource, Scope, Span, StatusCode};
    use crate::model::trace::Side;

    /// Returns a span. The parent 0 is no parent.
    pub(crate) fn span(id: u64, parent: u64, start: Nanos, end: Nanos) -> Span {
        let bytes = |id: u64| SpanId::from_bytes(&id.to_be_bytes());
        Span {
            trace: TraceId::from_bytes(&1_u128.to_be_bytes()).unwrap(),
            id: bytes(id).unwrap(),
            parent: bytes(parent),
            name: format!("span {id}").into(),
            kind: Kind::Internal,
            start,
            end: Some(end),
            status: StatusCode::Unset,
            status_message: Box::default(),
            attributes: Box::default(),
            events: Box::default(),
            links: Box::default(),
            trace_state: Box::default(),
            flags: 0,
            dropped: [0; 3],
            resource: Arc::new(Resource::default()),
            scope: Arc::new(Scope::default()),
            segment: None,
        }
    }

    pub(crate) fn trace(spans: impl IntoIterator<Item = Span>) -> Trace {
        let mut trace = Trace::new(TraceId::from_bytes(&1_u128.to_be_bytes()).unwrap(), 0, 1);
        spans.into_iter().for_each(|span| trace.add(Arc::new(span), Side::Otlp));
        trace
    }

    fn ids(ids: &[SpanId]) -> Vec<u64> {
        ids.iter().map(|id| u64::from_str_radix(&id.to_string(), 16).unwrap()).collect()
    }

    fn shape(tree: &Tree) -> Vec<(u64, usize)> {
        tree.nodes.iter().map(|node| (ids(&[node.id])[0], node.depth)).collect()
    }

    #[test]
    fn children_follow_their_parent_by_start() {
        let tree = Tree::of(&trace([span(3, 1, 5, 6), span(4, 2, 2, 3), span(1, 0, 0, 10), span(2, 1, 1, 4)]));
        assert_eq!(shape(&tree), [(1, 0), (2, 1), (4, 2), (3, 1)]);
        assert_eq!(tree.nodes[0].children, [1, 3]);
        assert_eq!(tree.self_times(), [6, 2, 1, 1]);
    }

    #[test]
    fn missing_parent_has_one_placeholder() {
        let tree = Tree::of(&trace([span(1, 9, 3, 6), span(2, 9, 5, 8), span(3, 0, 0, 10)]));
        assert_eq!(shape(&tree), [(3, 0), (9, 0), (1, 1), (2, 1)]);
        assert_eq!((tree.nodes[1].span, tree.nodes[1].start, tree.nodes[1].end), (None, 3, 8));
        assert_eq!(ids(&tree.orphans), [1, 2]);
        assert_eq!(tree.main_root(), Some(0));
    }

    #[test]
    fn cycle_is_cut_at_its_first_span() {
        let tree = Tree::of(&trace([span(1, 3, 2, 9), span(2, 1, 1, 5), span(3, 2, 3, 4), span(4, 3, 3, 4)]));
        assert_eq!(shape(&tree), [(2, 0), (3, 1), (1, 2), (4, 2)]);
        let mut cycle = ids(&tree.cycles);
        cycle.sort_unstable();
        assert_eq!(cycle, [1, 2, 3]);
    }

    #[test]
    fn own_parent_and_several_roots_are_kept() {
        let tree = Tree::of(&trace([span(1, 1, 2, 9), span(2, 0, 1, 5), span(3, 0, 1, 6)]));
        assert_eq!(shape(&tree), [(3, 0), (2, 0), (1, 0)]);
        assert_eq!(ids(&tree.self_parents), [1]);
    }

    #[test]
    fn reversed_times_have_no_duration() {
        let tree = Tree::of(&trace([span(1, 0, 9, 2), span(2, 1, 3, 4)]));
        assert_eq!((tree.nodes[0].start, tree.nodes[0].duration()), (9, 0));
    }

    #[test]
    fn chain_of_100000_spans_does_not_overflow_the_stack() {
        let tree = Tree::of(&trace((1..=100_000).map(|id| span(id, id - 1, id, 1_000_000 - id))));
        assert_eq!(tree.nodes.last().unwrap().depth, 99_999);
        let cycle = Tree::of(&trace((1..=100_000).map(|id| span(id, id % 100_000 + 1, id, id))));
        assert_eq!(cycle.cycles.len(), 100_000);
    }

    proptest! {
        #[test]
        fn every_span_is_in_the_tree_once(parents in proptest::collection::vec(0_u64..40, 1..30)) {
            let spans = parents.iter().zip(1_u64..).map(|(parent, id)| span(id, *parent, id % 7, id % 11));
            let trace = trace(spans);
            let tree = Tree::of(&trace);
            let mut found: Vec<_> = tree.nodes.iter().filter_map(|node| node.span).collect();
            found.sort_unstable();
            prop_assert_eq!(found, (0..parents.len()).collect::<Vec<_>>());
            for (position, node) in tree.nodes.iter().enumerate() {
                prop_assert!(node.parent.is_none_or(|parent| parent < position));
                prop_assert!(node.children.iter().all(|child| tree.nodes[*child].parent == Some(position)));
                prop_assert!(node.start <= node.end);
            }
            let roots = tree.roots().count();
            let children: usize = tree.nodes.iter().map(|node| node.children.len()).sum();
            prop_assert_eq!(roots + children, tree.nodes.len());
        }
    }
}
