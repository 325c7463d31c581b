//! Invocations with many spans.

use crate::binaries::Binaries;
use crate::figures::{median, milliseconds, percentile};
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{NONE, OURS_END, Variant};

const INVOCATIONS: usize = 10;
/// The spans that the handler creates, and the variables of the variants without and with tracing.
const SIZES: [(usize, Environment, Environment); 3] = [
    (500, &[("SPANS", "500")], &[("SPANS", "500"), ("LAMBDA_SPANS_FLUSH", "end")]),
    (1_000, &[("SPANS", "1000")], &[("SPANS", "1000"), ("LAMBDA_SPANS_FLUSH", "end")]),
    (10_000, &[("SPANS", "10000")], &[("SPANS", "10000"), ("LAMBDA_SPANS_FLUSH", "end")]),
];

type Environment = &'static [(&'static str, &'static str)];

/// The result for one number of spans. Times are medians of the rounds, in milliseconds.
#[derive(Debug)]
pub(crate) struct LargeInvocation {
    /// The number of spans, including the invocation's span.
    pub(crate) spans: usize,
    pub(crate) response: f64,
    pub(crate) next_poll: f64,
    /// The time until the next poll above the same handler without tracing.
    pub(crate) above_none: f64,
    pub(crate) cpu: f64,
    /// In MiB.
    pub(crate) peak_memory: f64,
    /// Spans per invocation that had arrived before the last freeze, in the worst round.
    pub(crate) otlp: usize,
    pub(crate) xray: usize,
}

pub(crate) fn measure(options: &Options, binaries: &Binaries) -> Vec<LargeInvocation> {
    let mut results = Vec::new();
    for (spans, without, with) in SIZES {
        eprintln!("invocations of {spans} spans");
        let none = Variant { environment: without, ..NONE };
        let ours = Variant { environment: with, ..OURS_END };
        let rounds: Vec<(Run, Run)> =
            (0..options.rounds).map(|_| (run::run(&none, binaries, &PLAN), run::run(&ours, binaries, &PLAN))).collect();
        let median_of = |figure: fn(&Run) -> f64| median(rounds.iter().map(|(_, ours)| figure(ours)).collect());
        let worst = |figure: fn(&Run) -> usize| rounds.iter().map(|(_, ours)| figure(ours)).min().unwrap_or_default();
        results.push(LargeInvocation {
            spans: spans + 1,
            response: median_of(|run| milliseconds(percentile(&run.response, 50))),
            next_poll: median_of(next_poll),
            above_none: median(rounds.iter().map(|(none, ours)| next_poll(ours) - next_poll(none)).collect()),
            cpu: median_of(|run| milliseconds(run.cpu)),
            peak_memory: median_of(|run| run.peak_memory),
            otlp: worst(|run| run.at_last_freeze.otlp.joined / INVOCATIONS),
            xray: worst(|run| run.at_last_freeze.xray.joined / INVOCATIONS),
        });
    }
    results
}

const PLAN: Plan = Plan { invocations: INVOCATIONS, ..Plan::PLAIN };

fn next_poll(run: &Run) -> f64 {
    milliseconds(percentile(&run.next_poll, 50))
}
