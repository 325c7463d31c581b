//! Cold starts, by HTTP and by TLS: where the trusted roots are read and the handshake is made.

use std::time::Duration;

use crate::binaries::Binaries;
use crate::collector::Behaviour;
use crate::figures::{median, milliseconds};
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{NONE, OURS_END, Variant};

const STARTS_PER_ROUND: usize = 9;
const INVOCATIONS: usize = 2;

/// Medians over all starts, in milliseconds.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) name: &'static str,
    pub(crate) init: f64,
    pub(crate) first_response: f64,
    pub(crate) first_next_poll: f64,
    /// Spans that had arrived by OTLP, joined, when the function froze for the last time, in the worst start.
    pub(crate) arrived: usize,
}

pub(crate) fn measure(options: &Options, binaries: &Binaries) -> Vec<Cold> {
    let kinds: [(&'static str, &Variant, bool); 3] =
        [("none", &NONE, false), ("ours-end, HTTP", &OURS_END, false), ("ours-end, TLS", &OURS_END, true)];
    let mut runs: [Vec<Run>; 3] = Default::default();
    for _ in 0..options.rounds * STARTS_PER_ROUND {
        for ((_, variant, over_tls), runs) in kinds.iter().zip(&mut runs) {
            runs.push(run::run(variant, binaries, &plan(*over_tls)));
        }
    }
    let told = kinds.iter().zip(&runs).map(|((name, ..), runs)| {
        let of = |figure: fn(&Run) -> Duration| median(runs.iter().map(|run| milliseconds(figure(run))).collect());
        Cold {
            name,
            init: of(|run| run.init),
            first_response: of(|run| run.response[0]),
            first_next_poll: of(|run| run.next_poll[0]),
            arrived: runs.iter().map(|run| run.at_last_freeze.otlp.joined).min().unwrap_or_default(),
        }
    });
    told.collect()
}

fn plan(over_tls: bool) -> Plan {
    Plan {
        warm_up: 0,
        invocations: INVOCATIONS,
        limit: Duration::MAX,
        gap: Duration::ZERO,
        collector: Behaviour::Answers(Duration::ZERO),
        over_tls,
        daemon_listens: true,
        count_allocations: false,
    }
}
