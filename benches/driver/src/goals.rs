//! The goals for the cost of lambda-spans, next to the figures.

use crate::binaries::Binaries;
use crate::faults::{BLACK_HOLE, FaultResult, REFUSED};
use crate::figures::{CPU, Figure, INIT, MEMORY, NEXT_POLL_MEAN, NEXT_POLL_P50, RESPONSE_P50, median, spread};
use crate::series::{Measured, Series};
use crate::variant::{OFFICIAL, OURS_ADAPTIVE, OURS_END, Variant};

/// One goal for the cost above a baseline.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) name: String,
    pub(crate) goal: String,
    pub(crate) median: String,
    /// The lowest and the highest round; empty if there is one value.
    pub(crate) spread: String,
    /// The same figure of the peer that exports to both destinations; empty if it is not measured.
    pub(crate) official: String,
}

/// Returns the goals that the runs cover.
pub(crate) fn evaluate(
    distant: &Series,
    far: &Series,
    near: &Series,
    faults: Option<&[FaultResult]>,
    binaries: &Binaries,
) -> Vec<Goal> {
    let mut goals = Vec::new();
    goals.extend(above_idle(far, OURS_END, &RESPONSE_P50, 0.03));
    goals.extend(above(near, OURS_END, &RESPONSE_P50, 0.03));
    goals.extend(above(far, OURS_ADAPTIVE, &RESPONSE_P50, 0.03));
    goals.extend(above(near, OURS_ADAPTIVE, &RESPONSE_P50, 0.03));
    goals.extend(above(near, OURS_END, &CPU, 130.0));
    goals.extend(above(near, OURS_ADAPTIVE, &CPU, 60.0));
    // The response after 30 ms or 90 ms, plus 2 ms.
    goals.extend(above(far, OURS_END, &NEXT_POLL_P50, 32.0));
    goals.extend(above(near, OURS_END, &NEXT_POLL_P50, 2.0));
    goals.extend(above(far, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    goals.extend(above(near, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    for variant in [OURS_END, OURS_ADAPTIVE] {
        goals.extend(above(near, variant, &INIT, 0.7));
        goals.extend(above(near, variant, &MEMORY, 3.0));
    }
    goals.extend(above(distant, OURS_END, &NEXT_POLL_P50, 92.0));
    goals.extend(above(distant, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    goals.extend(arrivals(distant));
    goals.extend(arrivals(far));
    goals.extend(arrivals(near));
    for result in faults.unwrap_or_default() {
        goals.extend(fault_goals(result));
    }
    let added = megabytes(binaries.size("sdk-ours")) - megabytes(binaries.size("sdk"));
    goals.push(Goal {
        name: "binary with the DynamoDB SDK".to_owned(),
        goal: "+0.8 MB".to_owned(),
        median: format!("{added:+.2} MB"),
        spread: String::new(),
        official: String::new(),
    });
    goals
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

fn above(series: &Series, variant: Variant, figure: &Figure, limit: f64) -> Option<Goal> {
    above_base(series, variant, figure, limit, series.none())
}

/// Compares with the same wait in each invocation and no tracing, because code after a wait runs with cold caches.
fn above_idle(series: &Series, variant: Variant, figure: &Figure, limit: f64) -> Option<Goal> {
    above_base(series, variant, figure, limit, series.idle())
}

fn above_base(series: &Series, variant: Variant, figure: &Figure, limit: f64, base: &Measured) -> Option<Goal> {
    let differences = figure.differences(series.find(&variant)?, base);
    let official = series.find(&OFFICIAL).map(|official| figure.show_difference(figure.above(official, base)));
    Some(Goal {
        name: format!(
            "{} above {}: {}, collector responds {}",
            variant.name, base.variant.name, figure.name, series.collector
        ),
        goal: figure.show_difference(limit),
        spread: figure.show_spread(&differences),
        median: figure.show_difference(median(differences)),
        official: official.unwrap_or_default(),
    })
}

/// `end` loses no spans even if it is killed while frozen; `adaptive` loses none if it receives SIGTERM.
fn arrivals(series: &Series) -> Vec<Goal> {
    let expected = series.expected();
    let cases = [(OURS_END, "killed"), (OURS_ADAPTIVE, "SIGTERM")];
    let goals = cases.into_iter().filter_map(|(variant, ending)| {
        let rounds = &series.find(&variant)?.rounds;
        let last = rounds.iter().map(|round| match ending {
            "killed" => round.run.at_last_freeze,
            _ => round.run.at_end,
        });
        let mut joined: Vec<usize> = last.map(|arrivals| arrivals.otlp.joined.min(arrivals.xray.joined)).collect();
        joined.sort_unstable();
        Some(Goal {
            name: format!(
                "{}, then {ending}: spans joined in each destination, collector responds {}",
                variant.name, series.collector
            ),
            goal: expected.to_string(),
            median: joined.get(joined.len() / 2)?.to_string(),
            spread: format!("{} to {}", joined.first()?, joined.last()?),
            official: String::new(),
        })
    });
    goals.collect()
}

fn fault_goals(result: &FaultResult) -> Vec<Goal> {
    if result.response_above_no_fault.is_empty() {
        return Vec::new();
    }
    let what = format!("{}, {}", result.variant.name, result.fault.name);
    let goal = |figure: &str, limit: String, digits: usize, values: &[f64]| {
        let (low, high) = spread(values);
        Goal {
            name: format!("{what}: {figure}"),
            goal: limit,
            median: format!("{:+.digits$} ms", median(values.to_vec())),
            spread: format!("{low:+.digits$} to {high:+.digits$} ms"),
            official: String::new(),
        }
    };
    let response = &result.response_above_no_fault;
    let mut goals = vec![goal("response p50 above no fault", "+0.05 ms".to_owned(), 3, response)];
    let limit = match result.fault {
        BLACK_HOLE => 5.0,
        REFUSED => 1.0,
        _ => return goals,
    };
    let name = format!("mean extra time of the first {}", result.invocations);
    goals.push(goal(&name, format!("+{limit:.0} ms"), 2, &result.extra));
    goals
}
