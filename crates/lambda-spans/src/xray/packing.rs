//! Divides a tree of spans into as few documents as possible.

/// The levels of nested spans in a document. Readers of JSON limit its depth.
const MAX_LEVELS: usize = 32;

/// The spans of a document: one at the top, and those that are nested in it.
#[derive(Debug)]
pub(super) struct Packing {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    first_child: Option<usize>,
    next_sibling: Option<usize>,
    is_top: bool,
    /// The bytes and levels of what is nested in the same document.
    bytes: usize,
    levels: usize,
}

impl Packing {
    /// `order` has the positions of the spans, parents before children, and `parents` the parent of each position.
    /// `sizes` are the bytes of the spans; a document has at most `capacity`.
    ///
    /// From the leaves up, each span takes in the subtrees of its children, the smallest first. A subtree that does not
    /// fit becomes a document, so the number of documents is minimal.
    pub(super) fn new(order: &[usize], parents: &[Option<usize>], sizes: &[usize], capacity: usize) -> Self {
        let mut packing = Self { nodes: vec![Node::default(); sizes.len()] };
        let parent = |position: usize| parents.get(position).copied().flatten();
        for position in order.iter().rev().copied() {
            let next_sibling =
                parent(position).and_then(|parent| packing.nodes.get_mut(parent)?.first_child.replace(position));
            if let Some(node) = packing.nodes.get_mut(position) {
                (node.next_sibling, node.is_top) = (next_sibling, parent(position).is_none());
            }
        }
        let mut subtrees = Vec::new();
        for position in order.iter().rev().copied() {
            subtrees.clear();
            subtrees.extend(packing.siblings(packing.first_child(position)).map(|child| (packing.size(child), child)));
            let mut bytes = sizes.get(position).copied().unwrap_or_default();
            let nested: usize = subtrees.iter().map(|((bytes, _), _)| bytes).sum();
            if bytes + nested > capacity {
                subtrees.sort_unstable();
            }
            let mut levels = 0;
            for ((more, below), child) in subtrees.iter().copied() {
                if bytes + more <= capacity && below < MAX_LEVELS {
                    (bytes, levels) = (bytes + more, levels.max(below));
                } else if let Some(node) = packing.nodes.get_mut(child) {
                    node.is_top = true;
                }
            }
            if let Some(node) = packing.nodes.get_mut(position) {
                (node.bytes, node.levels) = (bytes, levels + 1);
            }
        }
        packing
    }

    /// Returns whether a span is at the top of a document.
    pub(super) fn is_top(&self, position: usize) -> bool {
        self.nodes.get(position).is_some_and(|node| node.is_top)
    }

    /// Returns the bytes of all documents, with `more` for each.
    pub(super) fn bytes(&self, more: usize) -> usize {
        self.nodes.iter().filter(|node| node.is_top).map(|node| node.bytes + more).sum()
    }

    /// Returns the first span that is nested in this one.
    pub(super) fn first_nested(&self, position: usize) -> Option<usize> {
        self.nested_from(self.first_child(position))
    }

    /// Returns the next span that is nested in the same one.
    pub(super) fn next_nested(&self, position: usize) -> Option<usize> {
        self.nested_from(self.next_sibling(position))
    }

    fn nested_from(&self, first: Option<usize>) -> Option<usize> {
        self.siblings(first).find(|position| !self.is_top(*position))
    }

    fn siblings(&self, first: Option<usize>) -> impl Iterator<Item = usize> {
        std::iter::successors(first, |position| self.next_sibling(*position))
    }

    fn first_child(&self, position: usize) -> Option<usize> {
        self.nodes.get(position)?.first_child
    }

    fn next_sibling(&self, position: usize) -> Option<usize> {
        self.nodes.get(position)?.next_sibling
    }

    fn size(&self, position: usize) -> (usize, usize) {
        self.nodes.get(position).map_or((0, 0), |node| (node.bytes, node.levels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the positions of each document for spans of (parent, bytes).
    fn packed(spans: &[(Option<usize>, usize)], capacity: usize) -> Vec<Vec<usize>> {
        let order: Vec<usize> = (0..spans.len()).collect();
        let parents: Vec<_> = spans.iter().map(|(parent, _)| *parent).collect();
        let sizes: Vec<_> = spans.iter().map(|(_, bytes)| *bytes).collect();
        let packing = Packing::new(&order, &parents, &sizes, capacity);
        let below = |top: usize| {
            let mut document = vec![top];
            let mut next = 0;
            while let Some(position) = document.get(next).copied() {
                let nested = std::iter::successors(packing.first_nested(position), |last| packing.next_nested(*last));
                document.extend(nested);
                next += 1;
            }
            document
        };
        order.into_iter().filter(|position| packing.is_top(*position)).map(below).collect()
    }

    #[test]
    fn fitting_tree_is_one_document() {
        assert_eq!(packed(&[(None, 1), (Some(0), 1), (Some(1), 1), (Some(0), 1)], 4), [[0, 1, 3, 2]]);
    }

    #[test]
    fn smallest_subtrees_stay_with_their_parent() {
        let spans = [(None, 10), (Some(0), 50), (Some(0), 20), (Some(0), 10), (Some(1), 40)];
        assert_eq!(packed(&spans, 100), [vec![0, 2, 3], vec![1, 4]]);
    }

    #[test]
    fn document_has_at_most_32_levels() {
        let chain: Vec<_> = (0..100).map(|position: usize| (position.checked_sub(1), 1)).collect();
        let lengths: Vec<_> = packed(&chain, 1000).iter().map(Vec::len).collect();
        assert_eq!(lengths, [4, 32, 32, 32]);
    }

    #[test]
    fn flat_spans_that_do_not_fit_are_single() {
        let mut spans = vec![(None, 10)];
        spans.extend([(Some(0), 30); 5]);
        let lengths: Vec<_> = packed(&spans, 100).iter().map(Vec::len).collect();
        assert_eq!(lengths, [4, 1, 1]);
    }
}
