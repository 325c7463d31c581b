//! `make bench`: measures the cost of tracing and writes the results as Markdown.
//!
//! Each subject runs in an emulated Lambda that freezes it between invocations, with an emulated collector and X-Ray daemon.
//!
//! - [`variant`]: the compared configurations; [`binaries`]: builds them
//! - [`runtime_api`], [`collector`], [`daemon`]: the emulators; [`http`] and [`tls`]: their protocols
//! - [`process`]: signals, CPU clock and memory of a function
//! - [`run`]: one process from start to end; [`arrivals`]: the spans that it exported
//! - [`series`], [`cold`], [`large`], [`faults`]: sequences of runs; [`figures`]: statistics
//! - [`report`], [`goals`]: the tables
//! - [`instructions`]: `make instructions`, which counts instructions instead
//!
//! All I/O is blocking and uses the standard library: the scheduling of an async runtime would distort times of 0.1 ms.
//! Failures panic with a message.

mod arrivals;
mod binaries;
mod cold;
mod collector;
mod daemon;
mod faults;
mod figures;
mod goals;
mod http;
mod instructions;
mod large;
mod options;
mod process;
mod report;
mod run;
mod runtime_api;
mod series;
mod tls;
mod variant;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use collector::Behavior;
use options::Options;
use series::Series;

fn main() -> ExitCode {
    let options = Options::from_arguments(std::env::args().skip(1));
    if let Some(file) = &options.instructions {
        return if instructions::check(file, options.update) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let binaries = binaries::Binaries::build(options.build);
    let machine = report::machine(&options);
    let responds = |name, after, rounds| Series::measure(name, Behavior::Responds(after), rounds, &options, &binaries);
    // From Europe to the United States.
    let distant = responds("after 90 ms", Duration::from_millis(90), options.rounds);
    let far = responds("after 30 ms", Duration::from_millis(30), options.rounds);
    // These runs take a tenth of the time, so they are repeated more often.
    let near = responds("immediately", Duration::ZERO, options.rounds * 3);
    let cold = cold::measure(&options, &binaries);
    let large = large::measure(&options, &binaries);
    let faults = options.faults.then(|| faults::measure(&options, &binaries));
    let text = report::markdown(&machine, &[&distant, &far, &near], &cold, &large, faults.as_deref(), &binaries);
    println!("{text}");
    if let Some(path) = &options.write {
        fs::write(path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    ExitCode::SUCCESS
}
