//! The columns of a chart over time.

use serde::Serialize;

use crate::clock::Nanos;
use crate::model::summary::Decimal;

/// The maximum number of columns.
const MAX: u64 = 60;
const SECOND: Nanos = 1_000_000_000;
const DAY: u64 = 86_400;
/// The widths of a column in seconds. Longer ones are days, doubled.
const STEPS: [u64; 18] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY];

/// Columns of equal width. Their edges are multiples of the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Columns {
    /// The start of the first column.
    pub(crate) start: Decimal,
    /// The width.
    pub(crate) step: Decimal,
    /// The number of columns.
    pub(crate) count: usize,
}

impl Columns {
    /// Returns the narrowest columns that contain all times.
    pub(crate) fn of(times: impl Iterator<Item = Nanos>) -> Self {
        let range = times.fold(None, |range: Option<(Nanos, Nanos)>, time| {
            Some(range.map_or((time, time), |(first, last)| (first.min(time), last.max(time))))
        });
        let Some((first, last)) = range else {
            return Self { start: Decimal(0), step: Decimal(SECOND), count: 0 };
        };
        let days = std::iter::successors(Some(2 * DAY), |step| step.checked_mul(2));
        let steps = STEPS.into_iter().chain(days).map(|seconds| seconds.saturating_mul(SECOND));
        let columns = steps.map(|step| {
            let start = first - first % step;
            (step, start, (last - start) / step + 1)
        });
        // The last step contains every time in one column.
        let found = columns.into_iter().find(|(_, _, count)| *count <= MAX);
        let (step, start, count) = found.unwrap_or((Nanos::MAX, 0, 1));
        Self { start: Decimal(start), step: Decimal(step), count: usize::try_from(count).unwrap_or(1) }
    }

    /// Returns the column of a time.
    pub(crate) fn column(&self, time: Nanos) -> usize {
        let column = time.saturating_sub(self.start.0) / self.step.0.max(1);
        usize::try_from(column).unwrap_or_default().min(self.count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns(first: u64, last: u64) -> (u64, u64, usize) {
        let columns = Columns::of([first * SECOND, last * SECOND].into_iter());
        (columns.start.0 / SECOND, columns.step.0 / SECOND, columns.count)
    }

    #[test]
    fn columns_have_the_smallest_step_that_fits() {
        assert_eq!(columns(100, 100), (100, 1, 1));
        assert_eq!(columns(100, 159), (100, 1, 60));
        assert_eq!(columns(100, 160), (100, 2, 31));
        assert_eq!(columns(101, 160), (101, 1, 60));
        assert_eq!(columns(0, 3599), (0, 60, 60));
        assert_eq!(columns(7, 3600), (0, 120, 31));
        assert_eq!(columns(0, 100 * DAY), (0, 2 * DAY, 51));
    }

    #[test]
    fn no_time_has_no_column() {
        assert_eq!(Columns::of(std::iter::empty()).count, 0);
    }

    proptest! {
        #[test]
        fn each_time_is_in_its_column(times in proptest::collection::vec(any::<u64>(), 1..20)) {
            let columns = Columns::of(times.iter().copied());
            prop_assert!((1..=60).contains(&columns.count));
            for time in times {
                let low = columns.start.0 + columns.column(time) as u64 * columns.step.0;
                prop_assert!(low <= time && time - low < columns.step.0);
            }
        }
    }
}
