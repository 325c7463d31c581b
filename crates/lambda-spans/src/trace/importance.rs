//! Which spans of a large invocation are kept: the root, errors, and the slowest and shallowest of the others.

use std::cmp::Reverse;

use opentelemetry::KeyValue;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::LAMBDA_SPANS_OMITTED;
use crate::trace::tree::{SpanTree, is_root};

/// Returns whether a span is kept before all others: a root or an error.
pub(crate) fn is_essential(span: &SpanData) -> bool {
    is_root(span) || is_error(span)
}

pub(crate) fn is_error(span: &SpanData) -> bool {
    matches!(span.status, Status::Error { .. })
}

/// Returns all positions, the most important first.
pub(crate) fn by_importance(spans: &[SpanData], tree: &SpanTree) -> Vec<usize> {
    let mut order = tree.order().to_vec();
    // The sort is stable: shallower spans are first among equals.
    order.sort_by_cached_key(|position| {
        let Some(span) = spans.get(*position) else { return (true, true, Reverse(0)) };
        let time = span.end_time.duration_since(span.start_time).unwrap_or_default().as_nanos();
        let per_level = time / tree.level(*position).max(1) as u128;
        (!is_root(span), !is_error(span), Reverse(per_level))
    });
    order
}

/// Sorts spans, the most important first.
pub(crate) fn sort(spans: &mut Vec<SpanData>) {
    let order = by_importance(spans, &SpanTree::new(spans));
    let mut unsorted: Vec<_> = spans.drain(..).map(Some).collect();
    spans.extend(order.into_iter().filter_map(|position| unsorted.get_mut(position)?.take()));
}

/// Returns how many spans the root says were omitted.
pub(crate) fn omitted_below(root: &SpanData) -> usize {
    let known = root.attributes.iter().find(|attribute| attribute.key.as_str() == LAMBDA_SPANS_OMITTED);
    known.and_then(|attribute| attribute.value.as_str().parse().ok()).unwrap_or_default()
}

/// Keeps the most important spans for which `fits` returns true and omits the others. A kept span whose parent is
/// omitted becomes a child of its nearest kept ancestor. The root gets the number of omitted spans, which is returned.
pub(crate) fn reduce(spans: &mut Vec<SpanData>, mut fits: impl FnMut(&SpanData) -> bool) -> usize {
    let tree = SpanTree::new(spans);
    let mut kept = vec![false; spans.len()];
    for position in by_importance(spans, &tree) {
        if let (Some(span), Some(kept)) = (spans.get(position), kept.get_mut(position)) {
            *kept = fits(span);
        }
    }
    let omitted = kept.iter().filter(|kept| !**kept).count();
    if omitted == 0 {
        return 0;
    }
    let ids: Vec<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
    for (position, parent) in tree.kept_parents(&kept).into_iter().enumerate() {
        if let (Some(parent), Some(span)) = (parent.and_then(|parent| ids.get(parent)), spans.get_mut(position)) {
            span.parent_span_id = *parent;
        }
    }
    let mut kept = kept.into_iter();
    spans.retain(|_| kept.next().unwrap_or_default());
    if let Some(root) = spans.iter_mut().find(|span| is_root(span)) {
        add_omitted(root, omitted);
    }
    omitted
}

/// Adds to the number of omitted spans on the root.
pub(crate) fn add_omitted(root: &mut SpanData, omitted: usize) {
    if omitted > 0 {
        let count = omitted_below(root) + omitted;
        root.attributes.retain(|attribute| attribute.key.as_str() != LAMBDA_SPANS_OMITTED);
        root.attributes.push(KeyValue::new(LAMBDA_SPANS_OMITTED, i64::try_from(count).unwrap_or(i64::MAX)));
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanId;

    use super::*;
    use crate::trace::tree::tests::span;

    fn failed(span: SpanData) -> SpanData {
        SpanData { status: Status::error(""), ..span }
    }

    fn kept(mut spans: Vec<SpanData>, count: usize) -> Vec<(u64, u64)> {
        let mut left = count;
        let fits = |_: &SpanData| left.checked_sub(1).inspect(|less| left = *less).is_some();
        reduce(&mut spans, fits);
        let number = |id: SpanId| u64::from_be_bytes(id.to_bytes());
        spans.iter().map(|span| (number(span.span_context.span_id()), number(span.parent_span_id))).collect()
    }

    #[test]
    fn root_and_errors_are_kept_before_slow_spans() {
        let spans = vec![span(2, 1, 900), failed(span(3, 1, 0)), span(1, 0, 10)];
        assert_eq!(kept(spans.clone(), 1), [(1, 0)]);
        assert_eq!(kept(spans.clone(), 2), [(3, 1), (1, 0)]);
        assert_eq!(kept(spans, 3).len(), 3);
    }

    #[test]
    fn slow_and_shallow_spans_are_kept_before_others() {
        let spans = vec![span(1, 0, 10), span(2, 1, 4), span(3, 2, 4), span(4, 1, 3), span(5, 1, 9)];
        assert_eq!(kept(spans.clone(), 3), [(1, 0), (2, 1), (5, 1)]);
        assert_eq!(kept(spans, 4), [(1, 0), (2, 1), (4, 1), (5, 1)]);
    }

    #[test]
    fn sorting_loses_no_span() {
        let mut spans = vec![span(2, 1, 3), failed(span(3, 2, 1)), span(4, 1, 9), span(1, 0, 10)];
        sort(&mut spans);
        let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["span 1", "span 3", "span 4", "span 2"]);
    }

    #[test]
    fn error_below_an_omitted_span_moves_up() {
        let spans = vec![span(1, 0, 10), span(2, 1, 5), span(3, 2, 5), failed(span(4, 3, 1))];
        assert_eq!(kept(spans, 2), [(1, 0), (4, 1)]);
    }

    #[test]
    fn root_has_the_number_of_omitted_spans() {
        let mut spans = vec![span(1, 0, 10), span(2, 1, 5), span(3, 1, 5), span(4, 1, 5)];
        assert_eq!(reduce(&mut spans, |span| span.name != "span 2"), 1);
        assert_eq!(reduce(&mut spans, |span| span.name != "span 3"), 1);
        assert_eq!((spans.len(), omitted_below(&spans[0]), spans[0].attributes.len()), (2, 2, 1));
        assert_eq!(reduce(&mut spans, |_| true), 0);
    }
}
