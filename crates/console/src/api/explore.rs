//! The charts of the view *Explore*: groups, heat map, explanation, and the keys to group by.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::filters::{self, number};
use crate::analysis::explanation::{Explanation, Region, explain};
use crate::analysis::groups::{Groups, Sort, groups};
use crate::analysis::heat_map::{HeatMap, heat_map};
use crate::analysis::population::{Condition, Event, Population, Test, Unit};
use crate::model::summary::Summary;
use crate::model::trace::Trace;
use crate::store::Kept;

/// The default number of groups.
const DEFAULT_GROUPS: usize = 10;
/// The maximum number of groups.
const MAX_GROUPS: usize = 100;
/// The maximum number of keys.
const MAX_KEYS: usize = 500;

/// What is explored, and what is asked.
#[derive(Debug)]
pub(crate) struct Query {
    population: Population,
    by: Option<String>,
    sort: Sort,
    limit: usize,
    lit: Option<Condition>,
    region: Region,
}

/// Which parameters a route has in addition to those of the population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chart {
    /// Groups: `by`, `sort` and `limit`.
    Groups,
    /// Heat map: `lit` and its test.
    HeatMap,
    /// Explanation: the region.
    Explanation,
    /// Keys: nothing.
    Keys,
}

/// A key, and how many events have it.
#[derive(Debug, Serialize)]
pub(crate) struct Key<'a> {
    key: &'a str,
    events: usize,
}

impl Query {
    /// Parses the query of a URL.
    ///
    /// # Errors
    /// With the name of an invalid parameter and what it allows.
    pub(crate) fn parse(query: &str, chart: Chart) -> Result<Self, String> {
        let mut parsed = Self {
            population: Population::default(),
            by: None,
            sort: Sort::default(),
            limit: DEFAULT_GROUPS,
            lit: None,
            region: Region::default(),
        };
        let (mut lit_key, mut lit_test) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let of = |wanted: Chart| chart == wanted;
            match &*name {
                // An empty text is a value that can be lit.
                "lit_value" if of(Chart::HeatMap) => lit_test = Some(Test::Is(value.into_owned())),
                _ if value.is_empty() => {}
                "of" => {
                    parsed.population.unit = match &*value {
                        "requests" => Unit::Requests,
                        "spans" => Unit::Spans,
                        _ => return Err("`of` must be requests or spans".to_owned()),
                    }
                }
                "from" => parsed.population.from = Some(number(&name, &value)?),
                "to" => parsed.population.to = Some(number(&name, &value)?),
                "by" if of(Chart::Groups) => parsed.by = Some(value.into_owned()),
                "sort" if of(Chart::Groups) => {
                    parsed.sort = sort(&value).ok_or("`sort` must be one of count, error_rate, p50, p95, p99, max")?
                }
                "limit" if of(Chart::Groups) => {
                    parsed.limit = usize::try_from(number(&name, &value)?).unwrap_or(usize::MAX);
                    if !(1..=MAX_GROUPS).contains(&parsed.limit) {
                        return Err("`limit` must be from 1 to 100".to_owned());
                    }
                }
                "lit" if of(Chart::HeatMap) => lit_key = Some(value.into_owned()),
                "lit_absent" if of(Chart::HeatMap) && value == "true" => lit_test = Some(Test::Absent),
                "lit_above" if of(Chart::HeatMap) => lit_test = Some(Test::Above(float(&name, &value)?)),
                "lit_below" if of(Chart::HeatMap) => lit_test = Some(Test::Below(float(&name, &value)?)),
                "selected_from" if of(Chart::Explanation) => parsed.region.from = Some(number(&name, &value)?),
                "selected_to" if of(Chart::Explanation) => parsed.region.to = Some(number(&name, &value)?),
                "selected_low" if of(Chart::Explanation) => parsed.region.low = Some(number(&name, &value)?),
                "selected_high" if of(Chart::Explanation) => parsed.region.high = Some(number(&name, &value)?),
                _ if filters::add(&mut parsed.population.filter, &name, &value)? => {}
                _ => return Err(format!("`{name}` is not a parameter of this chart")),
            }
        }
        parsed.lit = match (lit_key, lit_test) {
            (Some(key), Some(test)) => Some(Condition { key, test }),
            (None, None) => None,
            _ => return Err("`lit` must have one of lit_value, lit_absent, lit_above, lit_below".to_owned()),
        };
        Ok(parsed)
    }

    /// Returns the groups.
    pub(crate) fn groups(&self, traces: &[Arc<Kept>]) -> Groups {
        self.with_events(traces, |events| groups(events, self.by.as_deref(), self.sort, self.limit))
    }

    /// Returns the heat map.
    pub(crate) fn heat_map(&self, traces: &[Arc<Kept>]) -> HeatMap {
        self.with_events(traces, |events| heat_map(events, self.lit.as_ref()))
    }

    /// Returns the explanation of the region.
    pub(crate) fn explanation(&self, traces: &[Arc<Kept>]) -> Explanation {
        self.with_events(traces, |events| explain(events, &self.region))
    }

    /// Passes the keys to group by, those of the most events first.
    pub(crate) fn keys<T>(&self, traces: &[Arc<Kept>], answer: impl FnOnce(&[Key<'_>]) -> T) -> T {
        self.with_events(traces, |events| {
            let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
            for (event, number) in events.iter().zip(1..) {
                event.fields(&mut |key, _, _| {
                    let (last, count) = counts.entry(key).or_default();
                    *count += usize::from(*last != number);
                    *last = number;
                });
            }
            let mut keys: Vec<Key<'_>> = counts.into_iter().map(|(key, (_, events))| Key { key, events }).collect();
            // The order of a hash map differs between runs.
            keys.sort_by_key(|key| (std::cmp::Reverse(key.events), key.key));
            keys.truncate(MAX_KEYS);
            answer(&keys)
        })
    }

    fn with_events<T>(&self, traces: &[Arc<Kept>], compute: impl FnOnce(&[Event<'_>]) -> T) -> T {
        let summaries: Vec<Arc<Summary>> = traces.iter().map(|trace| trace.summary()).collect();
        let pairs: Vec<(&Trace, &Summary)> =
            traces.iter().zip(&summaries).map(|(trace, summary)| (&***trace, &**summary)).collect();
        compute(&self.population.events(&pairs))
    }
}

fn sort(name: &str) -> Option<Sort> {
    Some(match name {
        "count" => Sort::Count,
        "error_rate" => Sort::ErrorRate,
        "p50" => Sort::P50,
        "p95" => Sort::P95,
        "p99" => Sort::P99,
        "max" => Sort::Max,
        _ => return None,
    })
}

fn float(name: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("`{name}` must be a number"))
}
