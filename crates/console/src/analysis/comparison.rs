//! Two traces, aligned by the path of their spans.
//!
//! The time on the critical path is compared for each path. The critical path of a trace sums to its duration, so these
//! differences sum exactly to the difference of the durations.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::critical_path::{critical_path, times};
use super::telling;
use super::tree::Tree;
use crate::clock::Nanos;
use crate::model::ids::SpanId;
use crate::model::span::Kind;
use crate::model::status::outcome;
use crate::model::summary::{Decimal, Summary};
use crate::model::trace::{Sides, Trace};

/// The maximum number of spans that are listed for a path. Its numbers are those of all.
const MAX_SPANS: usize = 200;

/// A difference, which the API writes as a decimal string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Difference(i128);

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    a: Party,
    b: Party,
    /// The duration of B less that of A.
    difference: Difference,
    /// One row for each path, in the order of the trees: first the paths of A.
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Party {
    summary: Arc<Summary>,
    /// When the compared root started.
    start: Decimal,
    /// How long the compared root took.
    duration: Decimal,
}

#[derive(Debug, Serialize)]
struct Row {
    /// The row of the path above.
    parent: Option<usize>,
    depth: usize,
    service: String,
    name: String,
    kind: Kind,
    telling: Option<String>,
    a: Part,
    b: Part,
    count_difference: i64,
    total_difference: Difference,
    self_difference: Difference,
    critical_difference: Difference,
}

/// The spans of one trace that have a path.
#[derive(Debug, Default, Serialize)]
struct Part {
    count: usize,
    errors: usize,
    total: Decimal,
    #[serde(rename = "self")]
    self_time: Decimal,
    critical: Decimal,
    /// By start: the k-th of both traces belong together.
    spans: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Member {
    /// `None` for a span that has not arrived.
    id: Option<SpanId>,
    /// The time since the start of the compared root.
    offset: Difference,
    duration: Decimal,
    critical: Decimal,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Step<'a> {
    parent: Option<usize>,
    service: &'a str,
    name: &'a str,
    kind: Kind,
    telling: Option<String>,
}

/// Which of the two traces.
#[derive(Clone, Copy)]
enum Which {
    A,
    B,
}

impl Comparison {
    /// Compares two traces.
    pub(crate) fn new(a: (&Trace, Arc<Summary>), b: (&Trace, Arc<Summary>)) -> Self {
        let mut rows = Vec::new();
        let mut paths = HashMap::new();
        let [a, b] = [(a, Which::A), (b, Which::B)].map(|((trace, summary), which)| {
            let (start, duration) = add(&mut rows, &mut paths, trace, which);
            Party { summary, start: Decimal(start), duration: Decimal(duration) }
        });
        for row in &mut rows {
            let Row { a, b, .. } = row;
            let difference = |of: fn(&Part) -> Nanos| Difference(i128::from(of(b)) - i128::from(of(a)));
            row.count_difference = b.count as i64 - a.count as i64;
            row.total_difference = difference(|part| part.total.0);
            row.self_difference = difference(|part| part.self_time.0);
            row.critical_difference = difference(|part| part.critical.0);
        }
        let difference = Difference(i128::from(b.duration.0) - i128::from(a.duration.0));
        Self { a, b, difference, rows: in_order(rows) }
    }
}

/// Adds the spans of a trace to the rows of their paths. Returns the start and the duration of the root.
fn add<'a>(
    rows: &mut Vec<Row>,
    paths: &mut HashMap<Step<'a>, usize>,
    trace: &'a Trace,
    which: Which,
) -> (Nanos, Nanos) {
    let tree = Tree::of(trace);
    let root = tree.main_root().and_then(|root| Some((root, tree.nodes.get(root)?)));
    let path = root.map(|(root, _)| critical_path(&tree, root)).unwrap_or_default();
    let critical = times(&path, tree.nodes.len());
    let origin = root.map_or(0, |(_, node)| node.start);
    let mut row_of: Vec<(usize, &'a str)> = Vec::with_capacity(tree.nodes.len());
    let mut members: Vec<(usize, Nanos, Member)> = Vec::new();
    for ((node, self_time), critical) in tree.nodes.iter().zip(tree.self_times()).zip(critical) {
        let above = node.parent.and_then(|parent| row_of.get(parent)).copied();
        let sides = node.span.and_then(|span| trace.spans.get(span));
        let span = sides.map(Sides::main);
        let own = span.map(|span| &*span.resource.service).filter(|service| !service.is_empty());
        let service = own.or(above.map(|(_, service)| service)).unwrap_or_default();
        let step = Step {
            parent: above.map(|(row, _)| row),
            service,
            name: span.map_or("(missing parent)", |span| &span.name),
            kind: node.kind,
            // The path of a request differs between requests of a route.
            telling: span
                .filter(|span| !matches!(span.kind, Kind::Server | Kind::Consumer))
                .and_then(|span| telling::own(span)),
        };
        let row = match paths.get(&step) {
            Some(row) => *row,
            None => {
                let above = step.parent.and_then(|parent| rows.get(parent));
                let row = Row::of(&step, above.map_or(0, |above| above.depth + 1));
                rows.push(row);
                paths.insert(step, rows.len() - 1);
                rows.len() - 1
            }
        };
        row_of.push((row, service));
        let Some(part) = rows.get_mut(row).map(|row| row.part(which)) else { continue };
        part.count += 1;
        part.errors += usize::from(sides.is_some_and(|sides| outcome(sides).is_failure()));
        part.total = Decimal(part.total.0.saturating_add(node.duration()));
        part.self_time = Decimal(part.self_time.0.saturating_add(if span.is_some() { self_time } else { 0 }));
        part.critical = Decimal(part.critical.0 + critical);
        let member = Member {
            id: span.map(|span| span.id),
            offset: Difference(i128::from(node.start) - i128::from(origin)),
            duration: Decimal(node.duration()),
            critical: Decimal(critical),
        };
        members.push((row, node.start, member));
    }
    members.sort_by_key(|(row, start, member)| (*row, *start, Reverse(member.duration), member.id));
    for (row, _, member) in members {
        if let Some(part) = rows.get_mut(row).map(|row| row.part(which))
            && part.spans.len() < MAX_SPANS
        {
            part.spans.push(member);
        }
    }
    (origin, root.map_or(0, |(_, node)| node.duration()))
}

impl Row {
    fn of(step: &Step<'_>, depth: usize) -> Self {
        Self {
            parent: step.parent,
            depth,
            service: step.service.to_owned(),
            name: step.name.to_owned(),
            kind: step.kind,
            telling: step.telling.clone(),
            a: Part::default(),
            b: Part::default(),
            count_difference: 0,
            total_difference: Difference::default(),
            self_difference: Difference::default(),
            critical_difference: Difference::default(),
        }
    }

    fn part(&mut self, which: Which) -> &mut Part {
        match which {
            Which::A => &mut self.a,
            Which::B => &mut self.b,
        }
    }
}

/// Brings the rows into the order of a tree: what is below a row follows it.
fn in_order(rows: Vec<Row>) -> Vec<Row> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut open = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        match row.parent.and_then(|parent| children.get_mut(parent)) {
            Some(siblings) => siblings.push(number),
            None => open.push(number),
        }
    }
    open.reverse();
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let mut places = vec![None; rows.len()];
    let mut ordered: Vec<Row> = Vec::with_capacity(rows.len());
    while let Some(number) = open.pop() {
        let Some(mut row) = rows.get_mut(number).and_then(Option::take) else { continue };
        if let Some(place) = places.get_mut(number) {
            *place = Some(ordered.len());
        }
        row.parent = row.parent.and_then(|parent| places.get(parent).copied().flatten());
        ordered.push(row);
        open.extend(children.get(number).into_iter().flatten().rev());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::span::Span;
    use crate::model::value::{Attribute, Value};

    fn compared(a: &Trace, b: &Trace) -> Comparison {
        Comparison::new((a, Arc::new(Summary::of(a))), (b, Arc::new(Summary::of(b))))
    }

    fn named(name: &str, span: Span) -> Span {
        Span { name: name.into(), ..span }
    }

    /// A root with one query for each length.
    fn queries(lengths: &[Nanos]) -> Trace {
        let mut start = 10;
        let mut spans = vec![];
        for (length, id) in lengths.iter().zip(2..) {
            spans.push(named("query", span(id, 1, start, start + length)));
            start += length;
        }
        trace(spans.into_iter().chain([named("root", span(1, 0, 0, start + 5))]))
    }

    fn row<'c>(comparison: &'c Comparison, name: &str) -> &'c Row {
        comparison.rows.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn equal_paths_are_one_row() {
        let comparison = compared(&queries(&[20, 30]), &queries(&[20, 30, 40]));
        assert_eq!(comparison.rows.len(), 2);
        let row = row(&comparison, "query");
        assert_eq!((row.a.count, row.b.count, row.count_difference), (2, 3, 1));
        assert_eq!((row.depth, row.parent), (1, Some(0)));
        assert_eq!((row.self_difference.0, row.critical_difference.0, comparison.difference.0), (40, 40, 40));
        let spans = |part: &Part| part.spans.iter().map(|span| (span.offset.0, span.duration.0)).collect::<Vec<_>>();
        assert_eq!(spans(&row.a), [(10, 20), (30, 30)]);
        assert_eq!(spans(&row.b), [(10, 20), (30, 30), (60, 40)]);
    }

    #[test]
    fn spans_of_one_trace_have_no_counterpart() {
        let other = trace([named("root", span(1, 0, 0, 50)), named("init", span(2, 1, 5, 25))]);
        let comparison = compared(&queries(&[10]), &other);
        assert_eq!(comparison.rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["root", "query", "init"]);
        assert_eq!((row(&comparison, "query").critical_difference.0, row(&comparison, "query").b.count), (-10, 0));
        assert_eq!((row(&comparison, "init").critical_difference.0, row(&comparison, "init").a.count), (20, 0));
        assert_eq!(row(&comparison, "root").critical_difference.0, 15);
        assert_eq!(comparison.difference.0, 25);
    }

    #[test]
    fn tables_are_told_apart_and_paths_of_requests_are_not() {
        let of = |table: &str, path: &str| {
            let attributes = |key: &str, value: &str| Box::new([Attribute::new(key, Value::from(value))]);
            trace([
                Span {
                    kind: Kind::Server,
                    attributes: attributes("url.path", path),
                    ..named("root", span(1, 0, 0, 50))
                },
                Span { attributes: attributes("db.collection.name", table), ..named("query", span(2, 1, 5, 25)) },
            ])
        };
        assert_eq!(compared(&of("a", "/1"), &of("a", "/2")).rows.len(), 2);
        assert_eq!(compared(&of("a", "/1"), &of("b", "/1")).rows.len(), 3);
    }

    #[test]
    fn later_rows_are_below_their_path() {
        let chain = |names: [&str; 3]| {
            trace(names.into_iter().zip(1..).map(|(name, id)| named(name, span(id, id - 1, id, 100 - id))))
        };
        let comparison = compared(&chain(["r", "a", "b"]), &chain(["r", "a", "c"]));
        let rows: Vec<_> = comparison.rows.iter().map(|row| (&*row.name, row.parent, row.depth)).collect();
        assert_eq!(rows, [("r", None, 0), ("a", Some(0), 1), ("b", Some(1), 2), ("c", Some(1), 2)]);
    }

    #[test]
    fn chains_of_10000_spans_are_compared() {
        let chain = |length| trace((1..=length).map(|id| span(id, id - 1, id, 100_000 - id)));
        let comparison = compared(&chain(10_000), &chain(9_000));
        assert_eq!((comparison.rows.len(), comparison.difference.0), (10_000, 0));
    }

    fn any_trace() -> impl Strategy<Value = Trace> {
        let span_of = (0_u64..12, 0_u64..100, 0_u64..100, 0_usize..6, 0_u8..3);
        proptest::collection::vec(span_of, 1..24).prop_map(|spans| {
            trace(spans.into_iter().zip(1_u64..).map(|((parent, start, length, kind, name), id)| Span {
                kind: Kind::ALL[kind],
                name: format!("n{name}").into(),
                ..span(id, parent, start, start + length)
            }))
        })
    }

    fn sum(rows: &[Row], of: impl Fn(&Row) -> i128) -> i128 {
        rows.iter().map(of).sum()
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_difference_of_the_durations(a in any_trace(), b in any_trace()) {
            let comparison = compared(&a, &b);
            let duration = |trace: &Trace| {
                let tree = Tree::of(trace);
                i128::from(tree.nodes[tree.main_root().unwrap()].duration())
            };
            prop_assert_eq!(comparison.difference.0, duration(&b) - duration(&a));
            prop_assert_eq!(sum(&comparison.rows, |row| row.critical_difference.0), comparison.difference.0);
            prop_assert_eq!(sum(&comparison.rows, |row| i128::from(row.a.critical.0)), duration(&a));
            let nodes = Tree::of(&a).nodes.len();
            prop_assert_eq!(comparison.rows.iter().map(|row| row.a.count).sum::<usize>(), nodes);
            for (number, row) in comparison.rows.iter().enumerate() {
                prop_assert!(row.parent.is_none_or(|parent| parent < number));
                prop_assert_eq!(row.depth, row.parent.map_or(0, |parent| comparison.rows[parent].depth + 1));
                prop_assert!(row.a.count + row.b.count > 0);
                prop_assert_eq!(row.a.spans.len(), row.a.count);
            }
        }

        #[test]
        fn swapped_traces_have_opposite_differences(a in any_trace(), b in any_trace()) {
            let (one, other) = (compared(&a, &b), compared(&b, &a));
            prop_assert_eq!(one.difference.0, -other.difference.0);
            prop_assert_eq!(one.rows.len(), other.rows.len());
            let differences = |comparison: &Comparison, sign: i128| {
                let mut found: Vec<_> = comparison.rows.iter().map(|row| sign * row.critical_difference.0).collect();
                found.sort_unstable();
                found
            };
            prop_assert_eq!(differences(&one, 1), differences(&other, -1));
        }

        #[test]
        fn trace_does_not_differ_from_itself(a in any_trace()) {
            let comparison = compared(&a, &a);
            let differs = |row: &Row| {
                (row.count_difference, row.self_difference.0, row.critical_difference.0) != (0, 0, 0)
            };
            prop_assert!(!comparison.rows.iter().any(differs));
        }
    }
}
