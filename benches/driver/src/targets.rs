//! The cost targets of lambda-spans, compared with the figures.

use crate::binaries::Binaries;
use crate::faults::{BLACK_HOLE, FaultResult, REFUSED};
use crate::figures::{CPU, Figure, INIT, MEMORY, NEXT_POLL_MEAN, NEXT_POLL_P50, RESPONSE_P50};
use crate::series::{Measured, Series};
use crate::variant::{OURS_ADAPTIVE, OURS_END, Variant};

/// One target: an upper limit for the cost above a baseline.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) limit: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

/// Evaluates the targets that the runs cover.
pub(crate) fn evaluate(
    distant: &Series,
    far: &Series,
    near: &Series,
    faults: Option<&[FaultResult]>,
    binaries: &Binaries,
) -> Vec<Target> {
    let mut targets = Vec::new();
    targets.extend(above_idle(far, OURS_END, &RESPONSE_P50, 0.03));
    targets.extend(above(near, OURS_END, &RESPONSE_P50, 0.03));
    targets.extend(above(far, OURS_ADAPTIVE, &RESPONSE_P50, 0.03));
    targets.extend(above(near, OURS_ADAPTIVE, &RESPONSE_P50, 0.03));
    targets.extend(above(near, OURS_END, &CPU, 110.0));
    targets.extend(above(near, OURS_ADAPTIVE, &CPU, 45.0));
    // The response after 30 ms or 90 ms, plus 2 ms.
    targets.extend(above(far, OURS_END, &NEXT_POLL_P50, 32.0));
    targets.extend(above(near, OURS_END, &NEXT_POLL_P50, 2.0));
    targets.extend(above(far, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    targets.extend(above(near, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    for variant in [OURS_END, OURS_ADAPTIVE] {
        targets.extend(above(near, variant, &INIT, 0.7));
        targets.extend(above(near, variant, &MEMORY, 3.0));
    }
    targets.extend(above(distant, OURS_END, &NEXT_POLL_P50, 92.0));
    targets.extend(above(distant, OURS_ADAPTIVE, &NEXT_POLL_MEAN, 0.1));
    targets.extend(arrivals(distant));
    targets.extend(arrivals(far));
    targets.extend(arrivals(near));
    for result in faults.unwrap_or_default() {
        targets.extend(fault_targets(result));
    }
    let added = megabytes(binaries.size("sdk-ours")) - megabytes(binaries.size("sdk"));
    targets.push(Target {
        name: "binary with the DynamoDB SDK".to_owned(),
        limit: "+0.5 MB".to_owned(),
        measured: format!("{added:+.2} MB"),
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

/// Compares with the same wait in each invocation and no tracing, because code after a wait runs with cold caches.
fn above_idle(series: &Series, variant: Variant, figure: &Figure, limit: f64) -> Option<Target> {
    above_base(series, variant, figure, limit, series.idle())
}

fn above_base(series: &Series, variant: Variant, figure: &Figure, limit: f64, base: &Measured) -> Option<Target> {
    let measured = figure.above(series.find(&variant)?, base);
    Some(Target {
        name: format!(
            "{} above {}: {}, collector responds {}",
            variant.name, base.variant.name, figure.name, series.collector
        ),
        limit: figure.show_difference(limit),
        measured: figure.show_difference(measured),
        met: measured <= limit,
    })
}

/// `end` loses no spans even if it is killed while frozen; `adaptive` loses none if it receives SIGTERM.
fn arrivals(series: &Series) -> Vec<Target> {
    let expected = series.expected();
    let cases = [(OURS_END, "killed"), (OURS_ADAPTIVE, "SIGTERM")];
    let targets = cases.into_iter().filter_map(|(variant, ending)| {
        let rounds = &series.find(&variant)?.rounds;
        let last = rounds.iter().map(|round| match ending {
            "killed" => round.run.at_last_freeze,
            _ => round.run.at_end,
        });
        let least = last.map(|arrivals| arrivals.otlp.joined.min(arrivals.xray.joined)).min()?;
        Some(Target {
            name: format!(
                "{}, then {ending}: spans joined in each destination, collector responds {}",
                variant.name, series.collector
            ),
            limit: expected.to_string(),
            measured: least.to_string(),
            met: least >= expected,
        })
    });
    targets.collect()
}

fn fault_targets(result: &FaultResult) -> Vec<Target> {
    let Some(response) = result.response_above_no_fault else { return Vec::new() };
    let what = format!("{}, {}", result.variant.name, result.fault.name);
    let mut targets = vec![Target {
        name: format!("{what}: response p50 above no fault"),
        limit: "+0.05 ms".to_owned(),
        measured: format!("{response:+.3} ms"),
        met: response <= 0.05,
    }];
    let limit = match result.fault {
        BLACK_HOLE => 5.0,
        REFUSED => 1.0,
        _ => return targets,
    };
    targets.push(Target {
        name: format!("{what}: mean extra time of the first {}", result.invocations),
        limit: format!("+{limit:.0} ms"),
        measured: format!("{:+.2} ms", result.extra),
        met: result.extra <= limit,
    });
    targets
}
