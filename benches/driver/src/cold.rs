//! Cold starts over HTTP and TLS. With TLS, the init phase reads the root certificates and completes the handshake.

use std::time::Duration;

use crate::binaries::Binaries;
use crate::figures::{median, milliseconds};
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{NONE, OURS_END, Variant};

const STARTS_PER_ROUND: usize = 9;
const INVOCATIONS: usize = 2;

/// Medians over all starts, in milliseconds.
#[derive(Debug)]
pub(crate) struct ColdStart {
    pub(crate) name: &'static str,
    pub(crate) init: f64,
    pub(crate) first_response: f64,
    pub(crate) first_next_poll: f64,
    /// Joined spans received over OTLP before the last freeze, in the worst start.
    pub(crate) received: usize,
}

pub(crate) fn measure(options: &Options, binaries: &Binaries) -> Vec<ColdStart> {
    let kinds: [(&'static str, &Variant, bool); 3] =
        [("none", &NONE, false), ("ours-end, HTTP", &OURS_END, false), ("ours-end, TLS", &OURS_END, true)];
    let mut runs: [Vec<Run>; 3] = Default::default();
    for _ in 0..options.rounds * STARTS_PER_ROUND {
        for ((_, variant, over_tls), runs) in kinds.iter().zip(&mut runs) {
            runs.push(run::run(variant, binaries, &plan(*over_tls)));
        }
    }
    let results = kinds.iter().zip(&runs).map(|((name, ..), runs)| {
        let median_of =
            |figure: fn(&Run) -> Duration| median(runs.iter().map(|run| milliseconds(figure(run))).collect());
        ColdStart {
            name,
            init: median_of(|run| run.init),
            first_response: median_of(|run| run.response[0]),
            first_next_poll: median_of(|run| run.next_poll[0]),
            received: runs.iter().map(|run| run.at_last_freeze.otlp.joined).min().unwrap_or_default(),
        }
    });
    results.collect()
}

fn plan(over_tls: bool) -> Plan {
    Plan { invocations: INVOCATIONS, over_tls, ..Plan::PLAIN }
}
