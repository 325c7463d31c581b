//! Bounds of differences between two samples, and percentiles.

use std::cmp::Ordering;

/// The quantile of the normal distribution for 95 %.
const Z: f64 = 1.96;
/// The coefficient of the critical value of Kolmogorov and Smirnov for 95 %.
const CRITICAL: f64 = 1.36;

/// Returns Wilson's bounds of a share that was measured in a sample of this size.
fn wilson(share: f64, size: f64) -> (f64, f64) {
    let z2 = Z * Z;
    let middle = share + z2 / (2.0 * size);
    let spread = Z * (share * (1.0 - share) / size + z2 / (4.0 * size * size)).max(0.0).sqrt();
    let whole = 1.0 + z2 / size;
    (((middle - spread) / whole).max(0.0), ((middle + spread) / whole).min(1.0))
}

/// Returns by how much the share `one` in a sample of size `n` exceeds the share `other` in one of size `m`, at least:
/// Newcombe's lower bound, and 0 if it is negative.
pub(crate) fn excess(one: f64, n: f64, other: f64, m: f64) -> f64 {
    if n <= 0.0 || m <= 0.0 {
        return 0.0;
    }
    let (low, high) = (wilson(one, n).0, wilson(other, m).1);
    (one - other - ((one - low).powi(2) + (high - other).powi(2)).sqrt()).max(0.0)
}

/// Where two distributions of numbers differ most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Split {
    /// The statistic of Kolmogorov and Smirnov beyond its critical value, and 0 if it is less.
    pub(crate) score: f64,
    /// The greatest number of the lower part.
    pub(crate) below: f64,
    /// The least number of the upper part.
    pub(crate) above: f64,
    /// Whether the first sample has more numbers in the upper part than the second one.
    pub(crate) is_greater: bool,
}

/// Compares two samples. A row has a number and its weight in each sample; rows are ordered by number. `n` and `m` are
/// the effective sizes.
pub(crate) fn split(rows: &[(f64, f64, f64)], n: f64, m: f64) -> Option<Split> {
    let (first, second) = rows.iter().fold((0.0, 0.0), |sums, row| (sums.0 + row.1, sums.1 + row.2));
    if first <= 0.0 || second <= 0.0 || n <= 0.0 || m <= 0.0 {
        return None;
    }
    let mut best: Option<(f64, f64, f64)> = None;
    let (mut one, mut other) = (0.0, 0.0);
    for (row, next) in rows.iter().zip(rows.iter().skip(1)) {
        one += row.1 / first;
        other += row.2 / second;
        let difference: f64 = other - one;
        // A plateau begins at its first row, in spite of rounding.
        if best.is_none_or(|(known, ..)| difference.abs() > known.abs() + 1e-12) {
            best = Some((difference, row.0, next.0));
        }
    }
    let (difference, below, above) = best?;
    let score = (difference.abs() - CRITICAL * ((n + m) / (n * m)).sqrt()).max(0.0);
    Some(Split { score, below, above, is_greater: difference > 0.0 })
}

/// Returns the size of a sample of equal weights that is as certain: Kish's effective size.
pub(crate) fn effective_size(sum: f64, sum_of_squares: f64) -> f64 {
    if sum_of_squares > 0.0 { sum * sum / sum_of_squares } else { 0.0 }
}

/// Returns the least value at or below which this part of the weight is: the nearest rank. `rows` are ordered.
pub(crate) fn percentile<T: Copy>(rows: &[(T, f64)], part: f64) -> Option<T> {
    let total: f64 = rows.iter().map(|row| row.1).sum();
    let mut sum = 0.0;
    // Sums of integers are exact; the factor absorbs the rounding of the product.
    let wanted = total * part * (1.0 - 1e-12);
    let found = rows.iter().find(|row| {
        sum += row.1;
        sum >= wanted
    });
    found.or(rows.last()).map(|row| row.0)
}

/// Compares scores, the greater one first.
pub(crate) fn descending(one: f64, other: f64) -> Ordering {
    other.total_cmp(&one)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounded(number: f64) -> f64 {
        (number * 1000.0).round() / 1000.0
    }

    #[test]
    fn slow_user_scores_more_than_unique_id() {
        assert_eq!(rounded(excess(5.0 / 5.0, 5.0, 95.0 / 4995.0, 4995.0)), 0.546);
        assert_eq!(rounded(excess(1.0 / 5.0, 5.0, 0.0, 4995.0)), 0.036);
        assert_eq!(excess(0.5, 10.0, 0.5, 10.0), 0.0);
        assert_eq!(excess(1.0, 0.0, 0.0, 10.0), 0.0);
    }

    #[test]
    fn split_is_where_the_distributions_differ_most() {
        // 100 numbers from 1 on in one sample, and from 51 on in the other one.
        let row =
            |number: u32| (f64::from(number), f64::from(u8::from(number > 50)), f64::from(u8::from(number <= 100)));
        let rows: Vec<(f64, f64, f64)> = (1..=150).map(row).collect();
        let found = split(&rows, 100.0, 100.0).unwrap();
        assert_eq!((found.below, found.above, found.is_greater), (50.0, 51.0, true));
        assert_eq!(rounded(found.score), rounded(0.5 - 1.36 * (200.0_f64 / 10_000.0).sqrt()));
        let swapped: Vec<_> = rows.iter().map(|row| (row.0, row.2, row.1)).collect();
        assert!(!split(&swapped, 100.0, 100.0).unwrap().is_greater);
        assert_eq!(split(&[(1.0, 1.0, 0.0)], 1.0, 0.0), None);
    }

    #[test]
    fn percentile_is_the_nearest_rank_by_weight() {
        let equal: Vec<(u64, f64)> = (1..=20).map(|value| (value, 1.0)).collect();
        assert_eq!(percentile(&equal, 0.5), Some(10));
        assert_eq!(percentile(&equal, 0.95), Some(19));
        assert_eq!(percentile(&equal, 0.99), Some(20));
        assert_eq!(percentile(&[(1_u64, 1.0), (9, 99.0)], 0.02), Some(9));
        assert_eq!(percentile::<u64>(&[], 0.5), None);
    }

    #[test]
    fn equal_weights_have_their_number_as_size() {
        assert_eq!(effective_size(30.0, 90.0), 10.0);
        assert_eq!(effective_size(0.0, 0.0), 0.0);
    }

    proptest! {
        #[test]
        fn excess_is_a_share_below_the_difference(a in 0_u32..100, more in 0_u32..100, b in 0_u32..100, rest in 0_u32..100) {
            let (n, m) = (f64::from(a + more + 1), f64::from(b + rest + 1));
            let (one, other) = (f64::from(a) / n, f64::from(b) / m);
            let excess = excess(one, n, other, m);
            prop_assert!((0.0..=1.0).contains(&excess));
            prop_assert!(excess <= (one - other).max(0.0) + 1e-9);
        }
    }
}
