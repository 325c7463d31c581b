//! All variants against one collector: rounds, in each of which every variant runs once, in another order.

use std::time::Duration;

use crate::binaries::Binaries;
use crate::collector::Behaviour;
use crate::options::Options;
use crate::run::{self, Plan, Run};
use crate::variant::{ALL, Kind, Variant};

const WARM_UP: usize = 20;
/// Starts that are measured in each round, besides the run's own; one start says little.
const STARTS: usize = 9;
const FOR_ALLOCATIONS: usize = 100;

/// What one variant did in one round.
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
    /// A run that counted allocations; the count takes time, and the times of this run are not used.
    pub(crate) counting: Run,
}

impl Series {
    pub(crate) fn measure(
        name: &'static str,
        collector: Behaviour,
        rounds: usize,
        options: &Options,
        binaries: &Binaries,
    ) -> Self {
        let plan = Plan {
            warm_up: WARM_UP,
            invocations: options.invocations,
            limit: Duration::MAX,
            gap: Duration::from_millis(options.gap_ms),
            collector,
            over_tls: false,
            daemon_listens: true,
            count_allocations: false,
        };
        let counting = Plan { invocations: FOR_ALLOCATIONS, count_allocations: true, ..plan };
        let chosen = ALL.into_iter().filter(|variant| {
            let named = options.only.iter().any(|name| variant.name.starts_with(name.as_str()));
            let waited = collector != Behaviour::Answers(Duration::ZERO);
            match variant.kind {
                Kind::None => true,
                Kind::Idle => waited,
                Kind::Parked | Kind::Part => !waited,
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
            eprintln!("collector answers {name}: round {} of {rounds}", round + 1);
            // Whatever the machine does meanwhile falls on another variant each time.
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
        self.variants.iter().find(|measured| measured.variant.kind == Kind::None).expect("always there")
    }

    /// What a variant that waits for the collector within its invocations is compared with: the same wait without
    /// tracing, where there is one.
    pub(crate) fn idle(&self) -> &Measured {
        self.variants.iter().find(|measured| measured.variant.kind == Kind::Idle).unwrap_or_else(|| self.none())
    }

    pub(crate) fn find(&self, variant: &Variant) -> Option<&Measured> {
        self.variants.iter().find(|measured| measured.variant == *variant)
    }

    /// How many spans each destination should have got.
    pub(crate) fn expected(&self) -> usize {
        3 * (WARM_UP + self.none().rounds[0].run.response.len())
    }
}
