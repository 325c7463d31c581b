//! `make bench`: every subject runs in a Lambda that freezes it between invocations, beside a collector and an X-Ray
//! daemon that this process plays, and the figures come out as Markdown.
//!
//! - [`variant`]: what is compared; [`binaries`]: how it is built
//! - [`runtime_api`], [`collector`], [`daemon`]: what stands around a function; [`http`] is the little they speak, [`tls`] below it
//! - [`process`]: signals, CPU clock and memory of a function
//! - [`run`]: one process from its start to its end; [`arrivals`]: what came out of it
//! - [`series`], [`cold`], [`faults`]: the order of runs; [`figures`]: what is told of them
//! - [`report`], [`targets`]: the tables
//!
//! All of it is blocking and on the standard library alone: an async server would put its own scheduling into
//! times of a tenth of a millisecond. What goes wrong panics and says what.

mod arrivals;
mod binaries;
mod cold;
mod collector;
mod daemon;
mod faults;
mod figures;
mod http;
mod options;
mod process;
mod report;
mod run;
mod runtime_api;
mod series;
mod targets;
mod tls;
mod variant;

use std::fs;
use std::time::Duration;

use collector::Behaviour;
use options::Options;
use series::Series;

fn main() {
    let options = Options::from_arguments(std::env::args().skip(1));
    let binaries = binaries::Binaries::build(options.build);
    let machine = report::machine(&options);
    let far =
        Series::measure("30 ms", Behaviour::Answers(Duration::from_millis(30)), options.rounds, &options, &binaries);
    // A run takes a tenth of the time, so that it can be repeated more often.
    let near = Series::measure("at once", Behaviour::Answers(Duration::ZERO), options.rounds * 3, &options, &binaries);
    let cold = cold::measure(&options, &binaries);
    let faults = options.faults.then(|| faults::measure(&options, &binaries));
    let text = report::markdown(&machine, &[&far, &near], &cold, faults.as_deref(), &binaries);
    println!("{text}");
    if let Some(path) = &options.write {
        fs::write(path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}
