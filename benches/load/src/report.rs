//! The tables in Markdown.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::mix::Operation;
use crate::options::Options;
use crate::run::{Run, Sample, WARM_UP};

/// Returns the line about the machine and the run.
pub(crate) fn machine(options: &Options, posts: u32) -> String {
    let cores = thread::available_parallelism().expect("a number of cores");
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let date = Command::new("date").args(["-u", "+%F"]).output().map(|output| output.stdout).unwrap_or_default();
    let date = String::from_utf8_lossy(&date).trim().to_owned();
    format!(
        "{date}, {cores} cores ({model}), shared by the load generator and the server; {posts} posts; {} seconds after {} \
         seconds of warm-up.\n",
        options.time.as_secs(),
        WARM_UP.as_secs(),
    )
}

/// Returns the table of one run, by kind of request.
pub(crate) fn by_request(run: &Run) -> String {
    let mut text = format!("{} connections:\n\n", run.connections);
    text += "| request | count | per second | p50 | p99 | max | not 200 |\n|---|---|---|---|---|---|---|\n";
    for (name, operation) in [
        ("home", Some(Operation::Home)),
        ("user feed", Some(Operation::UserFeed)),
        ("search", Some(Operation::Search)),
        ("post", Some(Operation::Post)),
        ("like and unlike", Some(Operation::Like)),
        ("message", Some(Operation::Message)),
        ("**all**", None),
    ] {
        let of_kind = |sample: &&Sample| operation.is_none_or(|operation| operation == sample.operation);
        let selected: Vec<&Sample> = run.samples.iter().filter(of_kind).collect();
        if !selected.is_empty() {
            let failed = selected.iter().filter(|sample| sample.status != 200).count();
            let times = Times::new(selected.iter().map(|sample| sample.time));
            let (count, rate) = (selected.len(), selected.len() as f64 / run.time.as_secs_f64());
            let (p50, p99, max) = (times.quantile(0.5), times.quantile(0.99), times.quantile(1.0));
            writeln!(text, "| {name} | {count} | {rate:.0} | {p50} | {p99} | {max} | {failed} |").expect("a String");
        }
    }
    text
}

/// Returns the table that compares the runs.
pub(crate) fn by_connections(runs: &[Run]) -> String {
    let best = runs.iter().map(Run::throughput).fold(1.0, f64::max);
    let mut text =
        "| connections | 200 per second | of the best | p50 | p99 | CPU | 503 per second | p50 | p99 | other |\n\
                    |---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for run in runs {
        let times = |status: u16| {
            Times::new(run.samples.iter().filter(move |sample| sample.status == status).map(|sample| sample.time))
        };
        let (accepted, rejected) = (times(200), times(503));
        let other = run.samples.len() - accepted.0.len() - rejected.0.len();
        let (throughput, cpu) = (run.throughput(), run.cpu_per_request());
        writeln!(
            text,
            "| {} | {throughput:.0} | {:.2}× | {} | {} | {cpu:.0} µs | {:.0} | {} | {} | {other} |",
            run.connections,
            throughput / best,
            accepted.quantile(0.5),
            accepted.quantile(0.99),
            rejected.0.len() as f64 / run.time.as_secs_f64(),
            rejected.quantile(0.5),
            rejected.quantile(0.99),
        )
        .expect("a String");
    }
    text
}

/// Returns the table of alternating runs against this server and the peer.
pub(crate) fn by_server(ours: &[Run], peers: &[Run]) -> String {
    let mut text = "| server | 200 per second | p50 | p99 | CPU | not 200 |\n|---|---|---|---|---|---|\n".to_owned();
    for (name, runs) in [("Cruddur", ours), ("the original", peers)] {
        let samples = || runs.iter().flat_map(|run| &run.samples);
        let times = Times::new(samples().filter(|sample| sample.status == 200).map(|sample| sample.time));
        let failed = samples().filter(|sample| sample.status != 200).count();
        let (throughput, cpu) = (median(runs, Run::throughput), median(runs, Run::cpu_per_request));
        let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
        writeln!(text, "| {name} | {throughput:.0} | {p50} | {p99} | {cpu:.0} µs | {failed} |").expect("a String");
    }
    text
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Sorted times in milliseconds.
struct Times(Vec<f64>);

impl Times {
    fn new(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn quantile(&self, share: f64) -> String {
        if self.0.is_empty() {
            return "–".to_owned();
        }
        format!("{:.1} ms", self.0[((self.0.len() - 1) as f64 * share).round() as usize])
    }
}

/// Replaces the tables between the two markers of the file, or creates the file.
pub(crate) fn write(file: &str, tables: &str) {
    const MARKS: [&str; 2] = ["<!-- begin: make load -->\n", "<!-- end: make load -->\n"];
    let text = fs::read_to_string(file).unwrap_or_else(|_| MARKS.concat());
    let (before, rest) = text.split_once(MARKS[0]).expect("the marker before the table");
    let (_, after) = rest.split_once(MARKS[1]).expect("the marker after the table");
    fs::write(file, format!("{before}{}\n{tables}\n{}{after}", MARKS[0], MARKS[1])).expect("a writable file");
}
