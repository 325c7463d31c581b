//! The list of traces: filters, order and pages.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use serde::Serialize;

use super::filters;
use crate::analysis::filter::Filter;
use crate::model::summary::Summary;
use crate::store::Kept;

/// The default number of traces of a page.
const DEFAULT: usize = 100;
/// The maximum number of traces of a page.
const MAX: usize = 1000;

/// A page of the list.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    traces: Vec<Arc<Summary>>,
    total: usize,
    next: Option<String>,
    evicted: u64,
}

/// What a list contains, and in which order.
#[derive(Debug)]
pub(crate) struct Query {
    filter: Filter,
    sort: Sort,
    is_ascending: bool,
    limit: usize,
    /// The trace after which the page begins, and its position.
    before: Option<(u64, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Received,
    Start,
    Duration,
    Spans,
    Errors,
    Name,
    Status,
    User,
    ColdStart,
    Cost,
}

impl Query {
    /// Parses the query of a URL.
    ///
    /// # Errors
    /// With the name of an invalid parameter and what it allows.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut parsed =
            Self { filter: Filter::default(), sort: Sort::Received, is_ascending: false, limit: DEFAULT, before: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = || value.parse::<u64>().map_err(|_error| format!("`{name}` must be a decimal number"));
            match &*name {
                _ if value.is_empty() => {}
                "limit" => {
                    parsed.limit = usize::try_from(number()?).unwrap_or(MAX);
                    if !(1..=MAX).contains(&parsed.limit) {
                        return Err("`limit` must be from 1 to 1000".to_owned());
                    }
                }
                "before" => parsed.before = Some(cursor(&value).ok_or("`before` must be the `next` of a page")?),
                "sort" => {
                    parsed.sort = sort(&value).ok_or(
                        "`sort` must be one of received, start, duration, spans, errors, name, status, user, cold_start, cost",
                    )?
                }
                "order" => {
                    parsed.is_ascending = match &*value {
                        "asc" => true,
                        "desc" => false,
                        _ => return Err("`order` must be asc or desc".to_owned()),
                    }
                }
                _ if filters::add(&mut parsed.filter, &name, &value)? => {}
                _ => return Err(format!("`{name}` is not a parameter of this list")),
            }
        }
        Ok(parsed)
    }

    /// Returns the summaries of the traces that match.
    pub(crate) fn matching(&self, traces: &[Arc<Kept>]) -> impl Iterator<Item = Arc<Summary>> {
        let rows = traces.iter().map(|trace| (trace, trace.summary()));
        rows.filter(|(trace, summary)| self.filter.matches(trace, summary)).map(|(_, summary)| summary)
    }

    /// Returns the page. `traces` are all traces, the newest first.
    pub(crate) fn page(&self, traces: &[Arc<Kept>], evicted: u64) -> Page {
        let rows = traces.iter().map(|trace| (trace.sequence, trace.summary(), trace));
        let mut rows: Vec<(u64, Arc<Summary>)> = rows
            .filter(|(_, summary, trace)| self.filter.matches(trace, summary))
            .map(|(sequence, summary, _)| (sequence, summary))
            .collect();
        rows.sort_by(|one, other| self.compare(one, other));
        let from = self.before.map_or(0, |(sequence, position)| {
            if self.sort == Sort::Received && !self.is_ascending {
                return rows.iter().take_while(|(row, _)| *row >= sequence).count();
            }
            // An evicted trace is not found.
            rows.iter().position(|(row, _)| *row == sequence).map_or(position, |at| at + 1)
        });
        let page: Vec<_> = rows.iter().skip(from).take(self.limit).collect();
        let end = from + page.len();
        let next = (end < rows.len()).then(|| page.last().map(|(sequence, _)| format!("{sequence}.{end}"))).flatten();
        Page {
            total: rows.len(),
            next,
            evicted,
            traces: page.into_iter().map(|(_, summary)| summary.clone()).collect(),
        }
    }

    fn compare(&self, one: &(u64, Arc<Summary>), other: &(u64, Arc<Summary>)) -> Ordering {
        let (a, b) = (&one.1, &other.1);
        // Costs are not negative, and the bits of such numbers are in the order of the numbers.
        let cost = |summary: &Summary| summary.cost.map(|cost| cost.dollars_per_million.max(0.0).to_bits());
        let name = |summary: &Summary| summary.root.as_ref().map(|root| root.name.clone());
        let order = match self.sort {
            Sort::Received => self.directed(Some(one.0), Some(other.0)),
            Sort::Start => self.directed(Some(a.start), Some(b.start)),
            Sort::Duration => self.directed(Some(a.duration), Some(b.duration)),
            Sort::Spans => self.directed(Some(a.spans), Some(b.spans)),
            Sort::Errors => self.directed(Some(a.error_spans), Some(b.error_spans)),
            Sort::Name => self.directed(name(a), name(b)),
            Sort::Status => self.directed(a.status_code, b.status_code),
            Sort::User => self.directed(a.user.as_ref(), b.user.as_ref()),
            Sort::ColdStart => self.directed(a.cold_start, b.cold_start),
            Sort::Cost => self.directed(cost(a), cost(b)),
        };
        order.then(Reverse(one.0).cmp(&Reverse(other.0)))
    }

    /// Unknown values are last in both directions.
    fn directed<T: Ord>(&self, one: Option<T>, other: Option<T>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) if self.is_ascending => one.cmp(&other),
            (Some(one), Some(other)) => other.cmp(&one),
            (one, other) => one.is_none().cmp(&other.is_none()),
        }
    }
}

fn cursor(text: &str) -> Option<(u64, usize)> {
    let (sequence, position) = text.split_once('.')?;
    Some((sequence.parse().ok()?, position.parse().ok()?))
}

fn sort(name: &str) -> Option<Sort> {
    Some(match name {
        "received" => Sort::Received,
        "start" => Sort::Start,
        "duration" => Sort::Duration,
        "spans" => Sort::Spans,
        "errors" => Sort::Errors,
        "name" => Sort::Name,
        "status" => Sort::Status,
        "user" => Sort::User,
        "cold_start" => Sort::ColdStart,
        "cost" => Sort::Cost,
        _ => return None,
    })
}
