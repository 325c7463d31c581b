//! Runs all variants with one collector, in rounds. In each round every variant runs once, in a different order.

use std::time::Duration;

use crate::binaries::Binaries;
use crate::collector::Behavior;
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{ALL, Kind, Variant};

const WARM_UP: usize = 20;
/// Additional starts per round, because the init time of one start varies.
const STARTS: usize = 9;
const ALLOCATION_INVOCATIONS: usize = 100;

/// The results of one variant in one round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) run: Run,
    pub(crate) inits: Vec<Duration>,
}

#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) collector: &'static str,
    pub(crate) variants: Vec<Measured>,
}

/// A variant and its rounds.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) variant: Variant,
    pub(crate) rounds: Vec<Round>,
    /// A run that counted allocations. Its times are not used, because counting takes time.
    pub(crate) counting: Run,
}

impl Series {
    pub(crate) fn measure(
        name: &'static str,
        collector: Behavior,
        rounds: usize,
        options: &Options,
        binaries: &Binaries,
    ) -> Self {
        let plan = Plan {
            warm_up: WARM_UP,
            invocations: options.invocations,
            gap: Duration::from_millis(options.gap_ms),
            collector,
            ..Plan::PLAIN
        };
        let counting = Plan { invocations: ALLOCATION_INVOCATIONS, count_allocations: true, ..plan };
        let chosen = ALL.into_iter().filter(|variant| {
            let named = options.only.iter().any(|name| variant.name.starts_with(name.as_str()));
            let delayed = collector != Behavior::Responds(Duration::ZERO);
            match variant.kind {
                Kind::None => true,
                Kind::Idle => delayed,
                Kind::Parked | Kind::Part => !delayed,
                Kind::Ours | Kind::Peer => options.only.is_empty() || named,
            }
        });
        let mut variants: Vec<Measured> = chosen
            .map(|variant| {
                let counting = run::run(&variant, binaries, &counting);
                Measured { variant, rounds: Vec::new(), counting }
            })
            .collect();
        for round in 0..rounds {
            eprintln!("collector responds {name}: round {} of {rounds}", round + 1);
            // A different order in each round spreads background load over all variants.
            let count = variants.len();
            let order: Vec<usize> = (0..count).map(|place| (place + round) % count).collect();
            for index in &order {
                let measured = &mut variants[*index];
                let run = run::run(&measured.variant, binaries, &plan);
                let inits = vec![run.init];
                measured.rounds.push(Round { run, inits });
            }
            for _ in 0..STARTS {
                for index in &order {
                    let measured = &mut variants[*index];
                    let init = run::init(&measured.variant, binaries, &plan);
                    measured.rounds[round].inits.push(init);
                }
            }
        }
        Self { collector: name, variants }
    }

    pub(crate) fn none(&self) -> &Measured {
        self.variants
            .iter()
            .find(|measured| measured.variant.kind == Kind::None)
            .expect("the variant without tracing always runs")
    }

    /// Returns the baseline for a variant that waits for the collector during its invocations: the same wait without
    /// tracing, or no tracing.
    pub(crate) fn idle(&self) -> &Measured {
        self.variants.iter().find(|measured| measured.variant.kind == Kind::Idle).unwrap_or_else(|| self.none())
    }

    pub(crate) fn find(&self, variant: &Variant) -> Option<&Measured> {
        self.variants.iter().find(|measured| measured.variant == *variant)
    }

    /// Returns the number of spans that each destination should receive.
    pub(crate) fn expected(&self) -> usize {
        3 * (WARM_UP + self.none().rounds[0].run.response.len())
    }
}
