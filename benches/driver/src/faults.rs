//! The cost of failing destinations, from the first invocation: an outage has no warm-up.

use std::time::Duration;

use crate::binaries::Binaries;
use crate::collector::Behavior;
use crate::figures::{mean, median, milliseconds, percentile};
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{LITE_SYNC, NONE, OFFICIAL, OURS_ADAPTIVE, OURS_END, Variant};

const INVOCATIONS: usize = 200;
/// Fewer, because each invocation of a peer takes seconds.
const PEER_INVOCATIONS: usize = 3;
/// The freeze between invocations. Without it, all invocations would finish before the first retry.
const GAP: Duration = Duration::from_millis(20);
/// The limit for a run, even if some invocations are missing.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DestinationFault {
    pub(crate) name: &'static str,
    collector: Behavior,
    daemon_listens: bool,
}

const IMMEDIATE: Behavior = Behavior::Responds(Duration::ZERO);
const NO_FAULT: DestinationFault = DestinationFault { name: "no fault", collector: IMMEDIATE, daemon_listens: true };
pub(crate) const BLACK_HOLE: DestinationFault =
    DestinationFault { name: "OTLP black hole", collector: Behavior::Silent, daemon_listens: true };
pub(crate) const REFUSED: DestinationFault =
    DestinationFault { name: "OTLP refused", collector: Behavior::Refuses, daemon_listens: true };
const FAULTS: [DestinationFault; 6] = [
    NO_FAULT,
    BLACK_HOLE,
    REFUSED,
    DestinationFault { name: "OTLP 503", collector: Behavior::Fails, daemon_listens: true },
    DestinationFault { name: "X-Ray refused", collector: IMMEDIATE, daemon_listens: false },
    DestinationFault { name: "OTLP and X-Ray refused", collector: Behavior::Refuses, daemon_listens: false },
];

/// The result of one variant with one fault.
#[derive(Debug)]
pub(crate) struct FaultResult {
    pub(crate) variant: Variant,
    pub(crate) fault: DestinationFault,
    /// The number of invocations in a round, fewer than planned if the time limit was reached.
    pub(crate) invocations: usize,
    /// In milliseconds.
    pub(crate) response_p50: f64,
    /// The difference to the same variant without a fault in each round, in milliseconds; empty for peers.
    pub(crate) response_above_no_fault: Vec<f64>,
    /// The mean time until the next poll, minus the same without tracing, in each round, in milliseconds.
    pub(crate) extra: Vec<f64>,
}

pub(crate) fn measure(options: &Options, binaries: &Binaries) -> Vec<FaultResult> {
    let mut rounds: Vec<(Run, Vec<Run>)> = Vec::new();
    let cases: Vec<(Variant, DestinationFault)> =
        [OURS_END, OURS_ADAPTIVE].into_iter().flat_map(|variant| FAULTS.map(|fault| (variant, fault))).collect();
    for round in 0..options.rounds {
        eprintln!("faults: round {} of {}", round + 1, options.rounds);
        let none = run::run(&NONE, binaries, &plan(NO_FAULT, INVOCATIONS));
        let runs = cases.iter().map(|(variant, fault)| run::run(variant, binaries, &plan(*fault, INVOCATIONS)));
        rounds.push((none, runs.collect()));
    }
    let no_fault = |variant: Variant| cases.iter().position(|case| *case == (variant, NO_FAULT)).expect("a case");
    let mut results: Vec<FaultResult> = cases
        .iter()
        .enumerate()
        .map(|(index, (variant, fault))| FaultResult {
            variant: *variant,
            fault: *fault,
            invocations: rounds[0].1[index].response.len(),
            response_p50: median(rounds.iter().map(|(_, runs)| response(&runs[index])).collect()),
            response_above_no_fault: rounds
                .iter()
                .map(|(_, runs)| response(&runs[index]) - response(&runs[no_fault(*variant)]))
                .collect(),
            extra: rounds.iter().map(|(none, runs)| extra(&runs[index], none)).collect(),
        })
        .collect();
    let none = &rounds[0].0;
    results.extend([OFFICIAL, LITE_SYNC].into_iter().flat_map(|variant| {
        [BLACK_HOLE, REFUSED].map(|fault| {
            let run = run::run(&variant, binaries, &plan(fault, PEER_INVOCATIONS));
            FaultResult {
                variant,
                fault,
                invocations: run.response.len(),
                response_p50: response(&run),
                response_above_no_fault: Vec::new(),
                extra: vec![extra(&run, none)],
            }
        })
    }));
    results
}

fn plan(fault: DestinationFault, invocations: usize) -> Plan {
    Plan {
        invocations,
        limit: LIMIT,
        gap: GAP,
        collector: fault.collector,
        daemon_listens: fault.daemon_listens,
        ..Plan::PLAIN
    }
}

fn response(run: &Run) -> f64 {
    milliseconds(percentile(&run.response, 50))
}

fn extra(run: &Run, none: &Run) -> f64 {
    milliseconds(mean(&run.next_poll)) - milliseconds(mean(&none.next_poll))
}
