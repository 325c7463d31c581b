//! Count, error rate and percentiles of durations: in all, over time and by the values of a field.

use std::collections::HashMap;

use serde::Serialize;

use super::columns::Columns;
use super::population::{Event, Term};
use super::statistics::{descending, percentile};
use crate::clock::Nanos;
use crate::model::summary::Decimal;

/// The order of groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// By the number of events.
    #[default]
    Count,
    /// By the share of failed ones.
    ErrorRate,
    /// By the median.
    P50,
    /// By the 95th percentile.
    P95,
    /// By the 99th percentile.
    P99,
    /// By the longest duration.
    Max,
}

/// The groups.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Groups {
    /// The number of events.
    events: usize,
    columns: Columns,
    /// All events.
    total: Group,
    /// The number of groups.
    groups_total: usize,
    /// The first groups in the order of the query.
    groups: Vec<Group>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Group {
    /// The value; `None` if the events have none.
    value: Option<String>,
    #[serde(flatten)]
    measures: Measures,
    max: Decimal,
    /// The columns that are not empty.
    series: Vec<Point>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Point {
    column: usize,
    #[serde(flatten)]
    measures: Measures,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Measures {
    /// The number of events, weighted by their sample rate.
    count: f64,
    /// How many of them failed.
    errors: f64,
    p50: Decimal,
    p95: Decimal,
    p99: Decimal,
}

/// One event of a group: its duration, weight, column and whether it failed.
#[derive(Clone, Copy)]
struct Measured {
    duration: Nanos,
    weight: f64,
    column: usize,
    failed: bool,
}

/// Returns the groups of events by the values of the field `by`.
pub(crate) fn groups(events: &[Event<'_>], by: Option<&str>, sort: Sort, limit: usize) -> Groups {
    let columns = Columns::of(events.iter().map(|event| event.start));
    let measured = |event: &Event<'_>| Measured {
        duration: event.duration,
        weight: event.weight,
        column: columns.column(event.start),
        failed: event.failed,
    };
    let mut all: Vec<Measured> = events.iter().map(measured).collect();
    let mut by_value: HashMap<Option<Term<'_>>, Vec<Measured>> = HashMap::new();
    if let Some(key) = by {
        for event in events {
            by_value.entry(event.value(key)).or_default().push(measured(event));
        }
    }
    let mut ordered: Vec<_> = by_value
        .into_iter()
        .map(|(value, mut members)| {
            members.sort_unstable_by_key(|member| member.duration);
            let measures = measures(&members);
            (value, measures, members)
        })
        .collect();
    ordered.sort_by(|(one_value, one, one_members), (other_value, other, other_members)| {
        let longest = |members: &[Measured]| members.last().map(|member| member.duration);
        let order = match sort {
            Sort::Count => descending(one.count, other.count),
            Sort::ErrorRate => descending(one.errors / one.count, other.errors / other.count),
            Sort::P50 => other.p50.cmp(&one.p50),
            Sort::P95 => other.p95.cmp(&one.p95),
            Sort::P99 => other.p99.cmp(&one.p99),
            Sort::Max => longest(other_members).cmp(&longest(one_members)),
        };
        // The order of a hash map differs between runs.
        order.then_with(|| descending(one.count, other.count)).then_with(|| one_value.cmp(other_value))
    });
    let groups_total = ordered.len();
    all.sort_unstable_by_key(|member| member.duration);
    Groups {
        events: events.len(),
        columns,
        total: group(None, &all, columns.count),
        groups_total,
        groups: ordered
            .into_iter()
            .take(limit)
            .map(|(value, _, members)| group(value.map(|value| value.text().into_owned()), &members, columns.count))
            .collect(),
    }
}

/// `members` are ordered by duration.
fn group(value: Option<String>, members: &[Measured], columns: usize) -> Group {
    let mut by_column: Vec<Vec<Measured>> = vec![Vec::new(); columns];
    for member in members {
        if let Some(column) = by_column.get_mut(member.column) {
            column.push(*member);
        }
    }
    let filled = by_column.iter().enumerate().filter(|(_, members)| !members.is_empty());
    Group {
        value,
        measures: measures(members),
        max: Decimal(members.last().map(|member| member.duration).unwrap_or_default()),
        series: filled.map(|(column, members)| Point { column, measures: measures(members) }).collect(),
    }
}

/// `members` are ordered by duration.
fn measures(members: &[Measured]) -> Measures {
    let rows: Vec<(Nanos, f64)> = members.iter().map(|member| (member.duration, member.weight)).collect();
    let part = |part| Decimal(percentile(&rows, part).unwrap_or_default());
    Measures {
        count: members.iter().map(|member| member.weight).sum(),
        errors: members.iter().filter(|member| member.failed).map(|member| member.weight).sum(),
        p50: part(0.5),
        p95: part(0.95),
        p99: part(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::population::Population;
    use crate::analysis::population::tests::{request, with_events};
    use crate::model::trace::Trace;
    use crate::model::value::{Attribute, Value};

    const SECOND: Nanos = 1_000_000_000;

    fn traces() -> Vec<Trace> {
        let of = |start: Nanos, duration, user: Option<&str>, status: i64| {
            let user = user.map(|user| Attribute::new("app.user", Value::from(user)));
            let status = Attribute::new("http.response.status_code", Value::Int(status));
            request(100 * SECOND + start * SECOND, duration, user.into_iter().chain([status]).collect())
        };
        let fast = (1..=20).map(|duration| of(duration % 2, duration, Some("andrew"), 200));
        fast.chain([of(1, 900, Some("bayko"), 500), of(1, 700, Some("bayko"), 200), of(0, 5, None, 200)]).collect()
    }

    fn grouped(sort: Sort, limit: usize) -> Groups {
        with_events(&traces(), &Population::default(), |events| groups(events, Some("app.user"), sort, limit))
    }

    fn values(groups: &Groups) -> Vec<Option<&str>> {
        groups.groups.iter().map(|group| group.value.as_deref()).collect()
    }

    #[test]
    fn group_has_count_errors_and_percentiles() {
        let groups = grouped(Sort::Count, 10);
        assert_eq!(values(&groups), [Some("andrew"), Some("bayko"), None]);
        let measures = |count, errors, p50, p95, p99| Measures {
            count,
            errors,
            p50: Decimal(p50),
            p95: Decimal(p95),
            p99: Decimal(p99),
        };
        assert_eq!(groups.groups[0].measures, measures(20.0, 0.0, 10, 19, 20));
        assert_eq!(groups.groups[1].measures, measures(2.0, 1.0, 700, 900, 900));
        assert_eq!(
            (groups.total.measures.count, groups.total.measures.errors, groups.total.max),
            (23.0, 1.0, Decimal(900))
        );
        assert_eq!((groups.columns.start, groups.columns.count), (Decimal(100 * SECOND), 2));
        let counts =
            |group: &Group| group.series.iter().map(|point| (point.column, point.measures.count)).collect::<Vec<_>>();
        assert_eq!(counts(&groups.total), [(0, 11.0), (1, 12.0)]);
        assert_eq!(counts(&groups.groups[1]), [(1, 2.0)]);
    }

    #[test]
    fn groups_are_ordered_and_limited() {
        for sort in [Sort::ErrorRate, Sort::P50, Sort::P95, Sort::P99, Sort::Max] {
            let groups = grouped(sort, 1);
            assert_eq!((values(&groups), groups.groups_total), (vec![Some("bayko")], 3), "{sort:?}");
        }
    }

    #[test]
    fn no_field_gives_only_the_total() {
        let found = with_events(&traces(), &Population::default(), |events| groups(events, None, Sort::Count, 10));
        assert_eq!((found.events, found.groups_total, found.groups.len()), (23, 0, 0));
        let none = groups(&[], Some("a"), Sort::Count, 10);
        assert_eq!((none.events, none.total.measures.count, none.columns.count), (0, 0.0, 0));
    }

    #[test]
    fn sample_rate_weighs_counts_and_percentiles() {
        let rate = |rate| vec![Attribute::new("SampleRate", Value::Int(rate))];
        let traces = [request(1, 10, rate(99)), request(1, 500, rate(1))];
        let found = with_events(&traces, &Population::default(), |events| groups(events, None, Sort::Count, 10));
        assert_eq!((found.total.measures.count, found.total.measures.p95), (100.0, Decimal(10)));
    }
}
