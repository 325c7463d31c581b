//! Counts executed instructions with callgrind and compares them with the limits in a file.
//!
//! Unlike times, the counts hardly depend on the machine and its load, so a test can compare them. The difference
//! between runs with N and 2 N invocations is the cost of N invocations; a run without invocations is the cost of the
//! start and the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::binaries::Binaries;
use crate::run::{self, Plan};
use crate::variant::{NONE, OURS_ADAPTIVE, OURS_END, Variant};

const VARIANTS: [Variant; 3] = [NONE, OURS_END, OURS_ADAPTIVE];
const INVOCATIONS: usize = 50;
/// In a burst, `adaptive` sends spans every 200 ms, so the number of requests would depend on the speed of callgrind.
/// With this pause, each invocation sends the spans of the one before.
const PAUSE: Duration = Duration::from_millis(300);
const INVOCATIONS_WITH_PAUSE: usize = 10;
/// Other versions of the C library and other processors execute slightly different instructions.
const TOLERANCE: f64 = 0.05;
const HEADER: &str = "\
# Instructions on x86_64, counted by `make instructions`: at the start and end of a process, and per invocation.
# `make instructions UPDATE=1` writes this file.
";

type Counts = BTreeMap<String, u64>;

/// Counts, and returns whether all counts are within the limits in `file`, or writes the limits.
pub(crate) fn check(file: &str, update: bool) -> bool {
    let binaries = Binaries::build_for_callgrind();
    let counts: Counts = VARIANTS.iter().flat_map(|variant| count(variant, &binaries)).collect();
    if update {
        let mut text = HEADER.to_owned();
        counts.iter().for_each(|(name, count)| writeln!(text, "{name} {count}").expect("a String"));
        fs::write(file, text).unwrap_or_else(|error| panic!("{file}: {error}"));
        return true;
    }
    let limits = read(file);
    assert!(limits.keys().eq(counts.keys()), "{file} lists other counts; run `make instructions UPDATE=1`");
    let mut is_within = true;
    for ((name, count), limit) in counts.iter().zip(limits.values()) {
        let change = *count as f64 / *limit as f64 - 1.0;
        // Another architecture has other counts.
        let exceeds = change > TOLERANCE && cfg!(target_arch = "x86_64");
        is_within &= !exceeds;
        println!("{name:24} {count:>12} {:+6.1} %{}", change * 100.0, if exceeds { "  too many" } else { "" });
    }
    if !is_within {
        println!(
            "Counts may exceed those in {file} by {:.0} %. If the additional work is intended, run \
             `make instructions UPDATE=1` and commit the file.",
            TOLERANCE * 100.0
        );
    }
    is_within
}

fn read(file: &str) -> Counts {
    let text = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{file}: {error}; run `make instructions UPDATE=1` to write it"));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let counts = lines.map(|line| {
        let (name, count) = line.split_once(' ').unwrap_or_else(|| panic!("{file}: {line}"));
        (name.to_owned(), count.parse().unwrap_or_else(|_| panic!("{file}: {line}")))
    });
    counts.collect()
}

fn count(variant: &Variant, binaries: &Binaries) -> [(String, u64); 2] {
    let (some, gap) =
        if *variant == OURS_ADAPTIVE { (INVOCATIONS_WITH_PAUSE, PAUSE) } else { (INVOCATIONS, Duration::ZERO) };
    let [none, once, twice] = [0, some, 2 * some].map(|invocations| {
        eprintln!("{}: {invocations} invocations", variant.name);
        run::to_the_end(variant, binaries, &Plan { invocations, gap, ..Plan::PLAIN });
        total(&binaries.counts())
    });
    let invocation = twice.saturating_sub(once) / some as u64;
    [(format!("{}/start", variant.name), none), (format!("{}/invocation", variant.name), invocation)]
}

/// Returns the total in callgrind's output.
fn total(output: &Path) -> u64 {
    let text = fs::read_to_string(output).unwrap_or_else(|error| panic!("{}: {error}", output.display()));
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).expect("a complete output of callgrind")
}
