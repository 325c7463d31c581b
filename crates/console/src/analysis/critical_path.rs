//! The critical path: the work that the trace's duration consists of.
//!
//! From the end of the root backwards, the path follows the child that ended last. Joins of concurrent work are inferred
//! from times. The segments are disjoint, and their sum is the duration of the root.

use std::cmp::Reverse;

use super::tree::{Node, Tree};
use crate::clock::Nanos;
use crate::model::span::Kind;

/// A part of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The position of the node.
    pub(crate) node: usize,
    /// The start.
    pub(crate) start: Nanos,
    /// The end, after the start.
    pub(crate) end: Nanos,
}

/// A node on the way down.
struct Frame {
    node: usize,
    /// The start, clipped to the ancestors.
    low: Nanos,
    /// The time up to which the path is known.
    until: Nanos,
    /// How many children were considered.
    considered: usize,
}

/// Returns the critical path of a node in the order of time.
pub(crate) fn critical_path(tree: &Tree, root: usize) -> Vec<Segment> {
    let Some(top) = tree.nodes.get(root) else { return Vec::new() };
    // The children of each node, the last to end first.
    let by_end: Vec<Vec<usize>> = tree.nodes.iter().map(|node| blocking_by_end(tree, node)).collect();
    let mut segments = Vec::new();
    let mut push = |node, start, end| {
        if end > start {
            segments.push(Segment { node, start, end });
        }
    };
    let mut open = vec![Frame { node: root, low: top.start, until: top.end, considered: 0 }];
    while let Some(frame) = open.last_mut() {
        let candidates = by_end.get(frame.node).and_then(|children| children.get(frame.considered..));
        let next = candidates.unwrap_or_default().iter().enumerate().find_map(|(skipped, child)| {
            let node = tree.nodes.get(*child)?;
            (node.end <= frame.until).then_some((skipped, *child, node))
        });
        match next {
            // The children after it ended even earlier.
            Some((skipped, child, node)) if node.end > frame.low => {
                push(frame.node, node.end, frame.until);
                let low = node.start.max(frame.low);
                frame.considered += skipped + 1;
                frame.until = low;
                open.push(Frame { node: child, low, until: node.end, considered: 0 });
            }
            Some(_) | None => {
                push(frame.node, frame.low, frame.until);
                open.pop();
            }
        }
    }
    segments.reverse();
    segments.sort_by_key(|segment| (segment.start, segment.end));
    segments
}

fn blocking_by_end(tree: &Tree, parent: &Node) -> Vec<usize> {
    let is_blocking = |child: &usize| tree.nodes.get(*child).is_some_and(|child| blocks(parent, child));
    let mut children: Vec<usize> = parent.children.iter().copied().filter(is_blocking).collect();
    children.sort_by_key(|child| tree.nodes.get(*child).map(|child| Reverse((child.end, child.start))));
    children
}

/// A parent does not wait for the consumer of its message, for a child that starts after its end, or for one that
/// outlives it.
fn blocks(parent: &Node, child: &Node) -> bool {
    !(parent.kind == Kind::Producer && child.kind == Kind::Consumer)
        && child.start < parent.end
        && child.end <= parent.end
}

/// Returns the time that each node has on the path.
pub(crate) fn times(segments: &[Segment], nodes: usize) -> Vec<Nanos> {
    let mut times = vec![0; nodes];
    for segment in segments {
        if let Some(time) = times.get_mut(segment.node) {
            *time += segment.end - segment.start;
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::span::Span;

    fn path(spans: impl IntoIterator<Item = Span>) -> Vec<(String, Nanos, Nanos)> {
        let tree = Tree::of(&trace(spans));
        let segments = critical_path(&tree, tree.main_root().unwrap());
        let id = |node: usize| tree.nodes[node].id.to_string().trim_start_matches('0').to_owned();
        segments.iter().map(|segment| (id(segment.node), segment.start, segment.end)).collect()
    }

    fn expected(segments: &[(&str, Nanos, Nanos)]) -> Vec<(String, Nanos, Nanos)> {
        segments.iter().map(|(id, start, end)| ((*id).to_owned(), *start, *end)).collect()
    }

    #[test]
    fn path_follows_the_child_that_ended_last() {
        // 3 runs beside 2 and ends later; 4 is within 3.
        let spans = [span(1, 0, 0, 100), span(2, 1, 10, 40), span(3, 1, 20, 60), span(4, 3, 30, 50)];
        let segments = [("1", 0, 20), ("3", 20, 30), ("4", 30, 50), ("3", 50, 60), ("1", 60, 100)];
        assert_eq!(path(spans), expected(&segments));
    }

    #[test]
    fn sequential_children_are_all_on_the_path() {
        let spans = [span(1, 0, 0, 100), span(2, 1, 10, 40), span(3, 1, 40, 60)];
        assert_eq!(path(spans), expected(&[("1", 0, 10), ("2", 10, 40), ("3", 40, 60), ("1", 60, 100)]));
    }

    #[test]
    fn child_that_starts_early_is_clipped() {
        let spans = [span(1, 0, 50, 100), span(2, 1, 10, 70), span(3, 2, 20, 60), span(4, 2, 20, 40)];
        assert_eq!(path(spans), expected(&[("3", 50, 60), ("2", 60, 70), ("1", 70, 100)]));
    }

    #[test]
    fn work_that_the_parent_does_not_await_is_not_on_the_path() {
        let mut producer = span(1, 0, 0, 100);
        producer.kind = Kind::Producer;
        let mut consumer = span(2, 1, 10, 20);
        consumer.kind = Kind::Consumer;
        let (outlives, later) = (span(3, 1, 50, 200), span(4, 1, 100, 110));
        assert_eq!(path([producer, consumer, outlives, later]), expected(&[("1", 0, 100)]));
    }

    #[test]
    fn chain_of_10000_spans_has_one_segment_for_each_half() {
        let spans = (1..=10_000).map(|id| span(id, id - 1, id, 100_000 - id));
        assert_eq!(path(spans).len(), 19_999);
    }

    proptest! {
        #[test]
        fn segments_are_disjoint_and_sum_to_the_duration(
            spans in proptest::collection::vec((0_u64..20, 0_u64..100, 0_u64..100, 0_usize..6), 1..40)
        ) {
            let spans = spans.into_iter().zip(1_u64..).map(|((parent, start, length, kind), id)| {
                Span { kind: Kind::ALL[kind], ..span(id, parent, start, start + length) }
            });
            let tree = Tree::of(&trace(spans));
            for root in 0..tree.nodes.len() {
                let segments = critical_path(&tree, root);
                let node = &tree.nodes[root];
                let sum: Nanos = segments.iter().map(|segment| segment.end - segment.start).sum();
                prop_assert_eq!(sum, node.duration());
                prop_assert!(segments.windows(2).all(|pair| pair[0].end == pair[1].start), "{:?}", segments);
                for segment in &segments {
                    let on = &tree.nodes[segment.node];
                    prop_assert!(segment.start >= on.start && segment.end <= on.end);
                }
                prop_assert_eq!(times(&segments, tree.nodes.len()).iter().sum::<Nanos>(), sum);
            }
        }
    }
}
