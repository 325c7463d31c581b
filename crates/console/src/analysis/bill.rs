//! What one trace costs, by unit and by span.

use std::sync::Arc;

use serde::Serialize;

use super::telling;
use crate::model::cost::{self, Cost, Line, Missing, NOT_COUNTED};
use crate::model::ids::SpanId;
use crate::model::prices::{Prices, prices};
use crate::model::trace::{Sides, Trace};

/// What one trace costs.
#[derive(Debug, Serialize)]
pub(crate) struct Bill {
    total: Option<Cost>,
    lines: Vec<Line>,
    spans: Vec<Priced>,
    unpriced: Vec<Unpriced>,
    not_counted: [&'static str; NOT_COUNTED.len()],
    prices: &'static Prices,
}

#[derive(Debug, Serialize)]
struct Priced {
    #[serde(flatten)]
    span: Named,
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct Unpriced {
    #[serde(flatten)]
    span: Named,
    missing: Missing,
}

#[derive(Debug, Serialize)]
struct Named {
    span: SpanId,
    service: Box<str>,
    name: Arc<str>,
    telling: Option<String>,
}

impl Named {
    fn of(sides: &Sides) -> Self {
        let span = sides.main();
        let (service, name) = (span.resource.service.clone(), span.name.clone());
        Self { span: span.id, service, name, telling: telling::own(span) }
    }
}

impl Bill {
    /// Returns the bill of a trace. The most expensive spans are first.
    pub(crate) fn of(trace: &Trace) -> Self {
        let total = Cost::of(trace);
        let priced = trace.spans.iter().filter_map(|sides| Some((sides, Cost::of_span(sides)?)));
        let mut priced: Vec<_> = priced.collect();
        priced.sort_by(|(one, a), (other, b)| {
            let order = b.dollars_per_million.total_cmp(&a.dollars_per_million);
            order.then_with(|| one.main().start.cmp(&other.main().start))
        });
        let unpriced = trace.spans.iter().filter_map(|sides| {
            let missing = cost::missing(sides)?;
            Some(Unpriced { span: Named::of(sides), missing })
        });
        Self {
            total,
            lines: total.iter().flat_map(Cost::lines).collect(),
            spans: priced.into_iter().map(|(sides, cost)| Priced { span: Named::of(sides), cost }).collect(),
            unpriced: unpriced.collect(),
            not_counted: NOT_COUNTED,
            prices: prices(),
        }
    }
}
