//! How many events took how long at which time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::columns::Columns;
use super::population::{Condition, Event};
use crate::clock::Nanos;
use crate::model::summary::Decimal;

/// The maximum number of rows.
const MAX_ROWS: usize = 48;
/// Rows in which the duration doubles, so that a row is 9 % wide.
const PER_DOUBLING: i32 = 8;
/// The number of the row of 1 ns, relative to that of 1 µs.
const FIRST: i32 = -80;
/// The number of the last row.
const LAST: i32 = 435;

/// The counts.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct HeatMap {
    /// The number of events.
    events: usize,
    /// The number of events that they stand for.
    count: f64,
    columns: Columns,
    /// The durations of each row, the shortest first.
    rows: Vec<Row>,
    /// The cells that are not empty, by column and row.
    cells: Vec<Cell>,
}

/// A range of durations, without its upper edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Row {
    low: Decimal,
    /// `None` if the row has no upper edge.
    high: Option<Decimal>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Cell {
    column: usize,
    row: usize,
    count: f64,
    errors: f64,
    /// How many of them the condition selects.
    lit: f64,
}

/// The edges of rows at full resolution: each is the shortest duration of its row.
struct Edges(Vec<Nanos>);

impl Edges {
    fn new() -> Self {
        let edge = |row: i32| (1000.0 * (f64::from(row) / f64::from(PER_DOUBLING)).exp2()).ceil() as Nanos;
        Self((FIRST..=LAST).map(edge).collect())
    }

    /// Returns the row of a duration of at least 1 ns.
    fn row(&self, duration: Nanos) -> usize {
        self.0.partition_point(|edge| *edge <= duration).saturating_sub(1)
    }
}

/// Returns the heat map of events. `lit` selects some of them.
pub(crate) fn heat_map(events: &[Event<'_>], lit: Option<&Condition>) -> HeatMap {
    let columns = Columns::of(events.iter().map(|event| event.start));
    let edges = Edges::new();
    let durations = || events.iter().map(|event| event.duration).filter(|duration| *duration > 0);
    let has_zero = events.iter().any(|event| event.duration == 0);
    let range = durations().min().zip(durations().max()).map(|(least, most)| (edges.row(least), edges.row(most)));
    let room = MAX_ROWS - usize::from(has_zero);
    // Merged rows are aligned, so that their edges do not depend on the other events.
    let merged = |(first, last): (usize, usize)| {
        (0..usize::BITS).find(|shift| (last >> shift) - (first >> shift) < room).unwrap_or_default()
    };
    let shift = range.map_or(0, merged);
    let zero = has_zero.then_some(Row { low: Decimal(0), high: Some(Decimal(1)) });
    let rows = range.map(|(first, last)| (first >> shift)..=(last >> shift)).into_iter().flatten().map(|row| Row {
        low: Decimal(edges.0.get(row << shift).copied().unwrap_or(1)),
        high: edges.0.get((row + 1) << shift).copied().filter(|edge| *edge < Nanos::MAX).map(Decimal),
    });
    let rows: Vec<Row> = zero.into_iter().chain(rows).collect();
    let mut cells: BTreeMap<(usize, usize), Cell> = BTreeMap::new();
    for event in events {
        let row = match (event.duration, range) {
            (0, _) | (_, None) => 0,
            (duration, Some((first, _))) => (edges.row(duration) >> shift) - (first >> shift) + usize::from(has_zero),
        };
        let column = columns.column(event.start);
        let cell = cells.entry((column, row)).or_insert_with(|| Cell { column, row, ..Cell::default() });
        cell.count += event.weight;
        cell.errors += if event.failed { event.weight } else { 0.0 };
        cell.lit += if lit.is_some_and(|condition| condition.selects(event)) { event.weight } else { 0.0 };
    }
    HeatMap {
        events: events.len(),
        count: events.iter().map(|event| event.weight).sum(),
        columns,
        rows,
        cells: cells.into_values().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::population::tests::{request, with_events};
    use crate::analysis::population::{Population, Test};
    use crate::model::value::{Attribute, Value};

    fn map(durations: &[(Nanos, Nanos)]) -> HeatMap {
        let traces: Vec<_> = durations.iter().map(|(start, duration)| request(*start, *duration, vec![])).collect();
        with_events(&traces, &Population::default(), |events| heat_map(events, None))
    }

    fn row(low: u64, high: u64) -> Row {
        Row { low: Decimal(low), high: Some(Decimal(high)) }
    }

    #[test]
    fn row_is_an_eighth_of_a_doubling() {
        let edges = Edges::new();
        for (duration, row) in [
            (1, -80),
            (2, -72),
            (1000, 0),
            (1090, 0),
            (1091, 1),
            (2000, 8),
            (1_000_000, 79),
            (1_024_000, 80),
            (1 << 63, 424),
        ] {
            assert_eq!(edges.row(duration) as i32 + FIRST, row, "{duration}");
        }
    }

    #[test]
    fn zero_has_its_own_row() {
        let map = map(&[(1, 0), (1, 1000), (1, 1000)]);
        assert_eq!(map.rows, [row(0, 1), row(1000, 1091)]);
        let cell = |row, count| Cell { row, count, ..Cell::default() };
        assert_eq!(map.cells, [cell(0, 1.0), cell(1, 2.0)]);
        assert_eq!((map.events, map.count, map.columns.count), (3, 3.0, 1));
    }

    #[test]
    fn wide_range_merges_pairs_of_rows() {
        // 10 doublings are 81 rows, which pairs halve to 41.
        let map = map(&[(1, 1000), (1, 1_024_000)]);
        assert_eq!(map.rows.len(), 41);
        assert_eq!((map.rows[0], map.rows[40]), (row(1000, 1190), row(1_024_000, 1_217_749)));
        assert_eq!(map.cells.iter().map(|cell| cell.row).collect::<Vec<_>>(), [0, 40]);
    }

    #[test]
    fn no_event_has_no_cell() {
        assert_eq!((map(&[]).rows.len(), map(&[]).cells.len()), (0, 0));
    }

    #[test]
    fn condition_lights_cells() {
        let user = |name: &str| vec![Attribute::new("user", Value::from(name))];
        let traces = [request(1, 1000, user("a")), request(1, 1000, user("b")), request(1, 9000, user("b"))];
        let condition = Condition { key: "user".to_owned(), test: Test::Is("b".to_owned()) };
        let map = with_events(&traces, &Population::default(), |events| heat_map(events, Some(&condition)));
        assert_eq!(map.cells.iter().map(|cell| (cell.count, cell.lit)).collect::<Vec<_>>(), [(2.0, 1.0), (1.0, 1.0)]);
    }

    proptest! {
        #[test]
        fn every_event_is_within_the_edges_of_its_cell(
            events in proptest::collection::vec((1_u64..1 << 62, prop_oneof![0_u64..5, 0_u64..1 << 40, 0_u64..1 << 63]), 1..30)
        ) {
            let map = map(&events);
            prop_assert!(map.rows.len() <= MAX_ROWS);
            let above_zero: Vec<_> = map.rows.iter().filter(|row| row.low.0 > 0).collect();
            prop_assert!(above_zero.windows(2).all(|pair| pair[0].high == Some(pair[1].low)));
            let mut counts = BTreeMap::new();
            for (start, duration) in &events {
                let within = |row: &Row| row.low.0 <= *duration && row.high.is_none_or(|high| *duration < high.0);
                let row = map.rows.iter().position(within).unwrap();
                *counts.entry((map.columns.column(*start), row)).or_insert(0.0) += 1.0;
            }
            let found: BTreeMap<_, _> = map.cells.iter().map(|cell| ((cell.column, cell.row), cell.count)).collect();
            prop_assert_eq!(found, counts);
        }
    }
}
