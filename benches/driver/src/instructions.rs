//! Counts executed instructions with callgrind and compares them with the limits in a file.
//!
//! Unlike times, the counts hardly depend on the machine and its load, so a test can compare them. The difference
//! between runs with N and 2 N invocations is the cost of N invocations; a run without invocations is the cost of the
//! start and the end. Some functions and what they call are counted separately: they show where the instructions go.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::binaries::Binaries;
use crate::run::{self, Plan};
use crate::variant::{NONE, OURS_ADAPTIVE, OURS_END, Variant};

/// A method of the subscriber, with all layers.
macro_rules! subscriber {
    ($method:literal) => {
        concat!("<tracing_subscriber::layer::layered::Layered<L,S> as tracing_core::subscriber::Subscriber>::", $method)
    };
}

const VARIANTS: [Variant; 3] = [NONE, OURS_END, OURS_ADAPTIVE];
const INVOCATIONS: usize = 50;
/// In a burst, `adaptive` sends spans every 200 ms, so the number of requests would depend on the speed of callgrind.
/// With this pause, each invocation sends the spans of the one before.
const PAUSE: Duration = Duration::from_millis(300);
const INVOCATIONS_WITH_PAUSE: usize = 10;
/// The parts of an invocation: functions that are counted with what they call. The rest is the work of the layers and the
/// HTTP request of the export.
const PARTS: [(&str, &[&str]); 4] = [
    ("trigger", &["lambda_spans::triggers::detect::trigger"]),
    ("spans", &[subscriber!("new_span"), subscriber!("enter"), subscriber!("exit"), subscriber!("try_close")]),
    ("xray-documents", &["lambda_spans::xray::Xray::documents"]),
    ("otlp-body", &["lambda_spans::otlp::encoder::Encoder::body"]),
];
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
        println!("{name:40} {count:>12} {:+6.1} %{}", change * 100.0, if exceeds { "  too many" } else { "" });
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

fn count(variant: &Variant, binaries: &Binaries) -> Vec<(String, u64)> {
    let (some, gap) =
        if *variant == OURS_ADAPTIVE { (INVOCATIONS_WITH_PAUSE, PAUSE) } else { (INVOCATIONS, Duration::ZERO) };
    let [none, once, twice] = [0, some, 2 * some].map(|invocations| {
        eprintln!("{}: {invocations} invocations", variant.name);
        run::to_the_end(variant, binaries, &Plan { invocations, gap, ..Plan::PLAIN });
        let parts = if *variant == OURS_END && invocations > 0 { parts(&binaries.counts()) } else { Vec::new() };
        (total(&binaries.counts()), parts)
    });
    let each = |once: u64, twice: u64| twice.saturating_sub(once) / some as u64;
    let mut counts = vec![(format!("{}/start", variant.name), none.0)];
    counts.push((format!("{}/invocation", variant.name), each(once.0, twice.0)));
    for ((name, _), (once, twice)) in PARTS.iter().zip(once.1.iter().zip(&twice.1)) {
        counts.push((format!("{}/invocation/{name}", variant.name), each(*once, *twice)));
    }
    counts
}

/// Returns the instructions of each of the [`PARTS`].
fn parts(output: &Path) -> Vec<u64> {
    let mut command = Command::new("callgrind_annotate");
    command.args(["--inclusive=yes", "--threshold=100", "--show-percs=no"]).arg(output);
    let output = command.output().expect("callgrind_annotate, a part of valgrind, starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<(u64, &str)> = text.lines().filter_map(function).collect();
    let inclusive = |name: &&str| {
        // Of the instances of a generic function, the outermost one contains the others.
        let instances = lines.iter().filter(|(_, function)| function == name).map(|(count, _)| *count);
        instances.max().unwrap_or_else(|| panic!("{name} was not called: it was renamed or inlined"))
    };
    PARTS.iter().map(|(_, functions)| functions.iter().map(inclusive).sum()).collect()
}

/// Returns the count and the name in a line such as `1,234  src/file.rs:name [binary]`.
fn function(line: &str) -> Option<(u64, &str)> {
    let (count, place) = line.trim_start().split_once(' ')?;
    let place = place.trim_start();
    let place = place.rsplit_once(" [").map_or(place, |(place, _)| place);
    // callgrind appends the depth of a recursion.
    let place = place.rsplit_once('\'').map_or(place, |(place, _)| place);
    let at = place.match_indices(':').map(|(at, _)| at).find(|at| !place[at + 1..].starts_with(':'))?;
    Some((count.replace(',', "").parse().ok()?, &place[at + 1..]))
}

/// Returns the total in callgrind's output.
fn total(output: &Path) -> u64 {
    let text = fs::read_to_string(output).unwrap_or_else(|error| panic!("{}: {error}", output.display()));
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).expect("a complete output of callgrind")
}
