//! Differences between the clocks of hosts, which only a switch of the page corrects.

use super::tree::Tree;
use crate::clock::Nanos;
use crate::model::keys;
use crate::model::span::Span;
use crate::model::trace::Trace;
use crate::model::value;

/// Shorter differences are not worth a correction.
const MIN: i128 = 1_000_000;

/// Returns by how many nanoseconds each node should be shifted; 0 for most.
pub(crate) fn shifts(trace: &Trace, tree: &Tree) -> Vec<i64> {
    let hosts: Vec<Option<String>> =
        tree.nodes.iter().map(|node| trace.spans.get(node.span?).and_then(|sides| host(sides.main()))).collect();
    let mut shifts = vec![0_i64; tree.nodes.len()];
    for (position, node) in tree.nodes.iter().enumerate() {
        let Some((parent_at, parent)) = node.parent.and_then(|parent| Some((parent, tree.nodes.get(parent)?))) else {
            continue;
        };
        let inherited = shifts.get(parent_at).copied().unwrap_or_default();
        let (own, above) = (hosts.get(position).cloned().flatten(), hosts.get(parent_at).cloned().flatten());
        let shift = match (own, above) {
            (Some(own), Some(above)) if own != above => {
                let start = i128::from(parent.start) + i128::from(inherited);
                skew(start, parent.duration(), node.start, node.duration())
            }
            // On the same host, or nothing is known about it.
            _ => inherited,
        };
        if let Some(slot) = shifts.get_mut(position) {
            *slot = shift;
        }
    }
    shifts
}

fn skew(parent_start: i128, parent_duration: Nanos, start: Nanos, duration: Nanos) -> i64 {
    let (parent_duration, start, duration) = (i128::from(parent_duration), i128::from(start), i128::from(duration));
    let shift = if duration > parent_duration {
        (parent_start - start).max(0)
    } else if start >= parent_start && start + duration <= parent_start + parent_duration {
        0
    } else {
        parent_start + (parent_duration - duration) / 2 - start
    };
    if shift.abs() < MIN { 0 } else { i64::try_from(shift).unwrap_or_default() }
}

fn host(span: &Span) -> Option<String> {
    let attributes = &span.resource.attributes;
    if let Some(host) = value::find(attributes, keys::HOST) {
        return Some(host.text().into_owned());
    }
    let is_browser =
        value::find(attributes, &["telemetry.sdk.language"]).and_then(|value| value.str()) == Some("webjs");
    is_browser.then(|| "browser".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::span::Resource;
    use crate::model::value::{Attribute, Value};

    const MS: Nanos = 1_000_000;

    fn on(host: &str, span: Span) -> Span {
        let resource = Resource::new(vec![Attribute::new("host.name", Value::from(host))]);
        Span { resource: Arc::new(resource), ..span }
    }

    fn shifts_of(spans: impl IntoIterator<Item = Span>) -> Vec<i64> {
        let trace = trace(spans);
        shifts(&trace, &Tree::of(&trace))
    }

    #[test]
    fn child_of_another_host_is_centered_with_its_subtree() {
        let parent = on("a", span(1, 0, 1000 * MS, 1100 * MS));
        let child = on("b", span(2, 1, 500 * MS, 540 * MS));
        let below = on("b", span(3, 2, 510 * MS, 520 * MS));
        assert_eq!(shifts_of([parent, child, below]), [0, 530_000_000, 530_000_000]);
    }

    #[test]
    fn longer_child_starts_with_its_parent() {
        let parent = on("a", span(1, 0, 1000 * MS, 1100 * MS));
        assert_eq!(shifts_of([parent.clone(), on("b", span(2, 1, 900 * MS, 1200 * MS))]), [0, 100_000_000]);
        assert_eq!(shifts_of([parent, on("b", span(2, 1, 1050 * MS, 1300 * MS))]), [0, 0]);
    }

    #[test]
    fn same_unknown_or_nearly_right_clock_is_not_shifted() {
        let parent = on("a", span(1, 0, 1000 * MS, 1100 * MS));
        for child in [
            on("a", span(2, 1, 500 * MS, 540 * MS)),
            span(2, 1, 500 * MS, 540 * MS),
            on("b", span(2, 1, 1010 * MS, 1020 * MS)),
            on("b", span(2, 1, 1000 * MS - 10, 1100 * MS - 500)),
        ] {
            assert_eq!(shifts_of([parent.clone(), child]), [0, 0]);
        }
    }
}
