//! What lambda-spans promises of its cost, held against the figures.

use crate::binaries::Binaries;
use crate::faults::{BLACK_HOLE, Outcome, REFUSED};
use crate::figures::{CPU, Figure, INIT, MEMORY, NEXT_POLL_MEAN, NEXT_POLL_P50, RESPONSE_P50};
use crate::series::{Measured, Series};
use crate::variant::{OURS_ADAPTIVE, OURS_END, Variant};

/// One promise: at most so much more than without tracing.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) limit: String,
    pub(crate) found: String,
    pub(crate) met: bool,
}

/// The promises that what was run says something about.
pub(crate) fn judge(far: &Series, near: &Series, faults: Option<&[Outcome]>, binaries: &Binaries) -> Vec<Target> {
    let mut targets = Vec::new();
    targets.extend(above_idle(far, OURS_END, &RESPONSE_P50, 0.03));
    targets.extend(above(near, OURS_END, &RESPONSE_P50, 0.03));
    targets.extend(above(far, OURS_ADAPTIVE, &RESPONSE_P50, 0.03));
    targets.extend(above(near, OURS_ADAPTIVE, &RESPONSE_P50, 0.03));
    targets.extend(above(near, OURS_END, &CPU, 110.0));
    targets.extend(above(near, OURS_ADAPTIVE, &CPU, 45.0));
    // A round trip of 30 ms, and 2 ms.
    targets.extend(above(far, OURS_END, &NEXT_POLL_P50, 32.0));
    targets.extend(above(near, OURS_END, &NEXT_POLL_P50, 2.0));
    targets.extend(above(far, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    targets.extend(above(near, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    for variant in [OURS_END, OURS_ADAPTIVE] {
        targets.extend(above(near, variant, &INIT, 0.7));
        targets.extend(above(near, variant, &MEMORY, 3.0));
    }
    targets.extend(arrivals(far));
    targets.extend(arrivals(near));
    for outcome in faults.unwrap_or_default() {
        targets.extend(fault(outcome));
    }
    let added = megabytes(binaries.size("sdk-ours")) - megabytes(binaries.size("sdk"));
    targets.push(Target {
        what: "binary with the DynamoDB SDK".to_owned(),
        limit: "+0.5 MB".to_owned(),
        found: format!("{added:+.2} MB"),
        met: added <= 0.5,
    });
    targets
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

fn above(series: &Series, variant: Variant, figure: &Figure, limit: f64) -> Option<Target> {
    above_base(series, variant, figure, limit, series.none())
}

/// Against no tracing with the same wait in each invocation: what runs after a wait runs cold, with or without tracing.
fn above_idle(series: &Series, variant: Variant, figure: &Figure, limit: f64) -> Option<Target> {
    above_base(series, variant, figure, limit, series.idle())
}

fn above_base(series: &Series, variant: Variant, figure: &Figure, limit: f64, base: &Measured) -> Option<Target> {
    let found = figure.above(series.find(&variant)?, base);
    Some(Target {
        what: format!(
            "{} above {}: {}, collector answers {}",
            variant.name, base.variant.name, figure.name, series.collector
        ),
        limit: figure.show_difference(limit),
        found: figure.show_difference(found),
        met: found <= limit,
    })
}

/// `end` has lost nothing even when it is killed while frozen, `adaptive` nothing when it is told of its end.
fn arrivals(series: &Series) -> Vec<Target> {
    let expected = series.expected();
    let cases = [(OURS_END, "killed"), (OURS_ADAPTIVE, "SIGTERM")];
    let found = cases.into_iter().filter_map(|(variant, ending)| {
        let rounds = &series.find(&variant)?.rounds;
        let last = rounds.iter().map(|round| match ending {
            "killed" => round.run.at_last_freeze,
            _ => round.run.at_end,
        });
        let least = last.map(|arrivals| arrivals.otlp.joined.min(arrivals.xray.joined)).min()?;
        Some(Target {
            what: format!(
                "{}, then {ending}: spans joined in each destination, collector answers {}",
                variant.name, series.collector
            ),
            limit: expected.to_string(),
            found: least.to_string(),
            met: least >= expected,
        })
    });
    found.collect()
}

fn fault(outcome: &Outcome) -> Vec<Target> {
    let Some(response) = outcome.response_above_no_fault else { return Vec::new() };
    let what = format!("{}, {}", outcome.variant.name, outcome.fault.name);
    let mut targets = vec![Target {
        what: format!("{what}: response p50 against no fault"),
        limit: "+0.05 ms".to_owned(),
        found: format!("{response:+.3} ms"),
        met: response <= 0.05,
    }];
    let limit = match outcome.fault {
        BLACK_HOLE => 5.0,
        REFUSED => 1.0,
        _ => return targets,
    };
    targets.push(Target {
        what: format!("{what}: mean extra of the first {}", outcome.invocations),
        limit: format!("+{limit:.0} ms"),
        found: format!("{:+.2} ms", outcome.extra),
        met: outcome.extra <= limit,
    });
    targets
}
