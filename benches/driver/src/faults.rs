//! What broken destinations cost: from the first invocation on, as there is no warm-up for an outage.

use std::time::Duration;

use crate::binaries::Binaries;
use crate::collector::Behaviour;
use crate::figures::{mean, median, milliseconds, percentile};
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{LITE_SYNC, NONE, OFFICIAL, OURS_ADAPTIVE, OURS_END, Variant};

const INVOCATIONS: usize = 200;
/// So many invocations of a peer are enough: each costs it seconds.
const PEER_INVOCATIONS: usize = 3;
/// Frozen between invocations: at 0.1 ms for each, all would be over before a destination is asked a second time.
const GAP: Duration = Duration::from_millis(20);
/// A run ends here even if it has not come to all invocations.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    collector: Behaviour,
    daemon_listens: bool,
}

const AT_ONCE: Behaviour = Behaviour::Answers(Duration::ZERO);
const NO_FAULT: Fault = Fault { name: "no fault", collector: AT_ONCE, daemon_listens: true };
pub(crate) const BLACK_HOLE: Fault =
    Fault { name: "OTLP black hole", collector: Behaviour::Silent, daemon_listens: true };
pub(crate) const REFUSED: Fault = Fault { name: "OTLP refused", collector: Behaviour::Refuses, daemon_listens: true };
const FAULTS: [Fault; 6] = [
    NO_FAULT,
    BLACK_HOLE,
    REFUSED,
    Fault { name: "OTLP 503", collector: Behaviour::Fails, daemon_listens: true },
    Fault { name: "X-Ray refused", collector: AT_ONCE, daemon_listens: false },
    Fault { name: "OTLP and X-Ray refused", collector: Behaviour::Refuses, daemon_listens: false },
];

/// One variant under one fault.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) variant: Variant,
    pub(crate) fault: Fault,
    /// How many invocations there were in a round; fewer than planned, where the time was over.
    pub(crate) invocations: usize,
    /// In milliseconds.
    pub(crate) response_p50: f64,
    /// To the same without a fault, in milliseconds; of peers there is none.
    pub(crate) response_above_no_fault: Option<f64>,
    /// Until the next poll, on average, above no tracing at all, in milliseconds.
    pub(crate) extra: f64,
}

pub(crate) fn measure(options: &Options, binaries: &Binaries) -> Vec<Outcome> {
    let mut rounds: Vec<(Run, Vec<Run>)> = Vec::new();
    let cases: Vec<(Variant, Fault)> =
        [OURS_END, OURS_ADAPTIVE].into_iter().flat_map(|variant| FAULTS.map(|fault| (variant, fault))).collect();
    for round in 0..options.rounds {
        eprintln!("faults: round {} of {}", round + 1, options.rounds);
        let none = run::run(&NONE, binaries, &plan(NO_FAULT, INVOCATIONS));
        let runs = cases.iter().map(|(variant, fault)| run::run(variant, binaries, &plan(*fault, INVOCATIONS)));
        rounds.push((none, runs.collect()));
    }
    let no_fault = |variant: Variant| cases.iter().position(|case| *case == (variant, NO_FAULT)).expect("a case");
    let mut outcomes: Vec<Outcome> = cases
        .iter()
        .enumerate()
        .map(|(index, (variant, fault))| Outcome {
            variant: *variant,
            fault: *fault,
            invocations: rounds[0].1[index].response.len(),
            response_p50: median(rounds.iter().map(|(_, runs)| response(&runs[index])).collect()),
            response_above_no_fault: Some(median(
                rounds.iter().map(|(_, runs)| response(&runs[index]) - response(&runs[no_fault(*variant)])).collect(),
            )),
            extra: median(rounds.iter().map(|(none, runs)| extra(&runs[index], none)).collect()),
        })
        .collect();
    let none = &rounds[0].0;
    outcomes.extend([OFFICIAL, LITE_SYNC].into_iter().flat_map(|variant| {
        [BLACK_HOLE, REFUSED].map(|fault| {
            let run = run::run(&variant, binaries, &plan(fault, PEER_INVOCATIONS));
            Outcome {
                variant,
                fault,
                invocations: run.response.len(),
                response_p50: response(&run),
                response_above_no_fault: None,
                extra: extra(&run, none),
            }
        })
    }));
    outcomes
}

fn plan(fault: Fault, invocations: usize) -> Plan {
    Plan {
        warm_up: 0,
        invocations,
        limit: LIMIT,
        gap: GAP,
        collector: fault.collector,
        over_tls: false,
        daemon_listens: fault.daemon_listens,
        count_allocations: false,
    }
}

fn response(run: &Run) -> f64 {
    milliseconds(percentile(&run.response, 50))
}

fn extra(run: &Run, none: &Run) -> f64 {
    milliseconds(mean(&run.next_poll)) - milliseconds(mean(&none.next_poll))
}
