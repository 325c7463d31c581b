//! What a request of each route costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::model::cost::{Cost, NOT_COUNTED};
use crate::model::prices::{Prices, prices};
use crate::model::summary::Summary;

/// The routes of some traces with their costs.
#[derive(Debug, Serialize)]
pub(crate) struct RouteCosts {
    routes: Vec<RouteCost>,
    traces: usize,
    priced: usize,
    not_counted: [&'static str; NOT_COUNTED.len()],
    prices: &'static Prices,
}

/// The cost of a route. Traces without a cost do not count for the mean.
#[derive(Debug, Serialize)]
struct RouteCost {
    #[serde(flatten)]
    route: Route,
    traces: usize,
    priced: usize,
    mean: Option<Cost>,
    max_dollars_per_million: Option<f64>,
    /// The share of all priced traces' cost.
    share: Option<f64>,
}

/// Roots without an HTTP route are grouped by their name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Route {
    service: Option<Box<str>>,
    method: Option<Box<str>>,
    route: Option<Box<str>>,
    name: Option<Box<str>>,
}

#[derive(Debug, Default)]
struct Sum {
    traces: usize,
    priced: usize,
    sum: Cost,
    max: f64,
}

impl Route {
    fn of(summary: &Summary) -> Self {
        let root = summary.root.as_ref();
        let route = summary.route.clone();
        Self {
            service: root.map(|root| root.service.clone()),
            method: route.as_ref().and(summary.method.clone()),
            name: if route.is_some() { None } else { root.map(|root| root.name.clone()) },
            route,
        }
    }
}

impl RouteCosts {
    /// Returns the costs by route, the most expensive first.
    pub(crate) fn of(summaries: impl IntoIterator<Item = Arc<Summary>>) -> Self {
        let mut sums: BTreeMap<Route, Sum> = BTreeMap::new();
        let (mut traces, mut priced, mut dollars) = (0, 0, 0.0);
        for summary in summaries {
            traces += 1;
            let sum = sums.entry(Route::of(&summary)).or_default();
            sum.traces += 1;
            if let Some(cost) = summary.cost {
                priced += 1;
                dollars += cost.dollars_per_million;
                sum.priced += 1;
                sum.sum += cost;
                sum.max = sum.max.max(cost.dollars_per_million);
            }
        }
        let mut routes: Vec<_> = sums.into_iter().map(|(route, sum)| RouteCost::new(route, &sum, dollars)).collect();
        let mean = |route: &RouteCost| route.mean.map_or(-1.0, |mean| mean.dollars_per_million);
        // Stable: equal ones keep the order of their names.
        routes.sort_by(|one, other| mean(other).total_cmp(&mean(one)));
        Self { routes, traces, priced, not_counted: NOT_COUNTED, prices: prices() }
    }
}

impl RouteCost {
    fn new(route: Route, sum: &Sum, all: f64) -> Self {
        let is_priced = sum.priced > 0;
        #[expect(clippy::cast_precision_loss, reason = "there are fewer traces than 2^52")]
        let priced = sum.priced as f64;
        Self {
            route,
            traces: sum.traces,
            priced: sum.priced,
            mean: is_priced.then(|| sum.sum.divided(priced)),
            max_dollars_per_million: is_priced.then_some(sum.max),
            share: (is_priced && all > 0.0).then(|| sum.sum.dollars_per_million / all),
        }
    }
}
