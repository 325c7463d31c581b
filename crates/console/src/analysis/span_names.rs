//! The table of a trace by service, name and kind.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Nanos;
use crate::model::span::Kind;
use crate::model::summary::Decimal;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NameRow {
    /// The service.
    pub(crate) service: String,
    /// The name.
    pub(crate) name: String,
    /// The kind.
    pub(crate) kind: Kind,
    /// The number of spans.
    pub(crate) count: usize,
    /// The sum of the durations.
    pub(crate) total: Decimal,
    /// The sum of the times in which no child ran.
    #[serde(rename = "self")]
    pub(crate) self_time: Decimal,
    /// The time on the critical path.
    pub(crate) critical: Decimal,
    /// The longest duration.
    pub(crate) max: Decimal,
    /// The 95th percentile of the durations.
    pub(crate) p95: Decimal,
    /// How many failed.
    pub(crate) errors: usize,
}

/// One span for the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured<'a> {
    /// The service.
    pub(crate) service: &'a str,
    /// The name.
    pub(crate) name: &'a str,
    /// The kind.
    pub(crate) kind: Kind,
    /// The duration.
    pub(crate) duration: Nanos,
    /// The time in which no child ran.
    pub(crate) self_time: Nanos,
    /// The time on the critical path.
    pub(crate) critical: Nanos,
    /// Whether it failed.
    pub(crate) failed: bool,
}

/// Returns the table, the greatest total first.
pub(crate) fn rows<'a>(spans: impl Iterator<Item = Measured<'a>>) -> Vec<NameRow> {
    let mut groups: BTreeMap<(&str, &str, Kind), Vec<Measured<'a>>> = BTreeMap::new();
    for span in spans {
        groups.entry((span.service, span.name, span.kind)).or_default().push(span);
    }
    let mut rows: Vec<_> = groups
        .into_iter()
        .map(|((service, name, kind), spans)| {
            let sum = |of: fn(&Measured<'_>) -> Nanos| Decimal(spans.iter().map(of).fold(0, Nanos::saturating_add));
            let mut durations: Vec<Nanos> = spans.iter().map(|span| span.duration).collect();
            durations.sort_unstable();
            // The nearest rank.
            let rank = (durations.len() * 95).div_ceil(100).saturating_sub(1);
            NameRow {
                service: service.to_owned(),
                name: name.to_owned(),
                kind,
                count: spans.len(),
                total: sum(|span| span.duration),
                self_time: sum(|span| span.self_time),
                critical: sum(|span| span.critical),
                max: Decimal(durations.last().copied().unwrap_or_default()),
                p95: Decimal(durations.get(rank).copied().unwrap_or_default()),
                errors: spans.iter().filter(|span| span.failed).count(),
            }
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.total));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_summed_by_name() {
        let span = |name, duration, failed| Measured {
            service: "s",
            name,
            kind: Kind::Client,
            duration,
            self_time: duration / 2,
            critical: 1,
            failed,
        };
        let spans = (1..=20).map(|duration| span("Query", duration, duration == 3)).chain([span("Get", 500, false)]);
        let rows = rows(spans);
        assert_eq!(rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["Get", "Query"]);
        let query = &rows[1];
        assert_eq!((query.count, query.total, query.max, query.p95), (20, Decimal(210), Decimal(20), Decimal(19)));
        assert_eq!((query.self_time, query.critical, query.errors), (Decimal(100), Decimal(20), 1));
    }
}
