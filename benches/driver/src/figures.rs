//! The reported figures of a variant: one value per round, and the median of the rounds.

use std::time::Duration;

use crate::series::{Measured, Round};

/// A figure. Lower is better.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) digits: usize,
    in_round: fn(&Measured, &Round) -> f64,
}

pub(crate) const RESPONSE_P50: Figure = Figure {
    name: "response p50",
    unit: "ms",
    digits: 3,
    in_round: |_, round| milliseconds(percentile(&round.run.response, 50)),
};
pub(crate) const RESPONSE_P99: Figure = Figure {
    name: "response p99",
    unit: "ms",
    digits: 2,
    in_round: |_, round| milliseconds(percentile(&round.run.response, 99)),
};
pub(crate) const NEXT_POLL_P50: Figure = Figure {
    name: "next poll p50",
    unit: "ms",
    digits: 2,
    in_round: |_, round| milliseconds(percentile(&round.run.next_poll, 50)),
};
pub(crate) const NEXT_POLL_MEAN: Figure = Figure {
    name: "next poll mean",
    unit: "ms",
    digits: 2,
    in_round: |_, round| milliseconds(mean(&round.run.next_poll)),
};
pub(crate) const CPU: Figure =
    Figure { name: "CPU", unit: "µs", digits: 0, in_round: |_, round| milliseconds(round.run.cpu) * 1000.0 };
pub(crate) const ALLOCATIONS: Figure =
    Figure { name: "allocations", unit: "", digits: 0, in_round: |measured, _| measured.counting.allocations };
pub(crate) const ALLOCATED: Figure = Figure {
    name: "allocated",
    unit: "KiB",
    digits: 1,
    in_round: |measured, _| measured.counting.allocated_bytes / 1024.0,
};
pub(crate) const INIT: Figure =
    Figure { name: "init p50", unit: "ms", digits: 2, in_round: |_, round| milliseconds(percentile(&round.inits, 50)) };
pub(crate) const MEMORY: Figure =
    Figure { name: "peak memory", unit: "MiB", digits: 1, in_round: |_, round| round.run.peak_memory };

pub(crate) const ALL: [Figure; 9] =
    [RESPONSE_P50, RESPONSE_P99, NEXT_POLL_P50, NEXT_POLL_MEAN, CPU, ALLOCATIONS, ALLOCATED, INIT, MEMORY];

impl Figure {
    /// Returns the median of the rounds.
    pub(crate) fn median(&self, measured: &Measured) -> f64 {
        median(measured.rounds.iter().map(|round| (self.in_round)(measured, round)).collect())
    }

    /// Returns the median of the differences to `base` in each round.
    pub(crate) fn above(&self, measured: &Measured, base: &Measured) -> f64 {
        median(self.differences(measured, base))
    }

    /// Returns the differences to `base` in each round.
    pub(crate) fn differences(&self, measured: &Measured, base: &Measured) -> Vec<f64> {
        let rounds = measured.rounds.iter().zip(&base.rounds);
        rounds.map(|(mine, other)| (self.in_round)(measured, mine) - (self.in_round)(base, other)).collect()
    }

    pub(crate) fn ratio(&self, measured: &Measured, base: &Measured) -> f64 {
        self.median(measured) / self.median(base)
    }

    pub(crate) fn show(&self, value: f64) -> String {
        format!("{value:.digits$} {}", self.unit, digits = self.digits).trim_end().to_owned()
    }

    pub(crate) fn show_difference(&self, value: f64) -> String {
        format!("{value:+.digits$} {}", self.unit, digits = self.digits).trim_end().to_owned()
    }

    /// Shows the lowest and the highest difference.
    pub(crate) fn show_spread(&self, differences: &[f64]) -> String {
        let (lowest, highest) = spread(differences);
        format!("{lowest:+.digits$} to {}", self.show_difference(highest), digits = self.digits)
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(crate) fn percentile(durations: &[Duration], percent: usize) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

pub(crate) fn mean(durations: &[Duration]) -> Duration {
    durations.iter().sum::<Duration>() / u32::try_from(durations.len()).expect("not so many")
}

/// Returns the lowest and the highest value.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
