//! The tables.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;

use crate::arrivals::Arrived;
use crate::binaries::Binaries;
use crate::cold::Cold;
use crate::faults::Outcome;
use crate::figures::{self, CPU, Figure, RESPONSE_P50};
use crate::options::Options;
use crate::series::{Measured, Series};
use crate::targets::{self, megabytes};
use crate::tls::TLS;
use crate::variant::{ALL, DISABLED, Kind, NONE, OURS_ADAPTIVE, OURS_END, PARKED, RECORDED, TO_XRAY};

/// The machine, the toolchain and the amount of work, in one line.
pub(crate) fn machine(options: &Options) -> String {
    let cores = thread::available_parallelism().expect("a number of cores");
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{} cores ({model}), load before {load}, {}, {}; {} rounds of {} invocations (three times as many rounds where \
         the collector answers at once), {} ms frozen between them.",
        cores,
        output("rustc", &["--version"]),
        output("date", &["-u", "+%F"]),
        options.rounds,
        options.invocations,
        options.gap_ms,
    )
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn markdown(
    machine: &str,
    series: &[&Series; 2],
    cold: &[Cold],
    faults: Option<&[Outcome]>,
    binaries: &Binaries,
) -> String {
    let mut text = format!("# What tracing costs\n\nWritten by `make bench`. {machine}\n\n{INTRODUCTION}\n");
    let [far, near] = series;
    text += "## Promises\n\nAbove no tracing in the same round; the median of the rounds.\n\n";
    let mut rows = vec![row(["promise", "at most", "found", "kept"]), "|---|---|---|---|".to_owned()];
    for target in targets::judge(far, near, faults, binaries) {
        let met = if target.met { "yes" } else { "**no**" };
        rows.push(row([&*target.what, &*target.limit, &*target.found, met]));
    }
    text += &block(&rows);
    for series in series {
        write!(text, "## A collector that answers {}\n\n", after(series)).expect("a String");
        text += &absolute(series);
        text += "Above no tracing, and as a multiple of it:\n\n";
        text += &relative(series);
        text += "Ours as a multiple of the best peer in each figure:\n\n";
        text += &against_best_peer(series);
        if series.find(&RECORDED).is_some() {
            text += "Where it goes:\n\n";
            text += &steps(series);
        }
        text += "What arrived, of ";
        write!(text, "{} spans, in the worst round (of these joined to Lambda's trace):\n\n", series.expected())
            .expect("a String");
        text += &arrivals(series);
    }
    text += "## Cold starts\n\n";
    text += &cold_starts(cold);
    if let Some(faults) = faults {
        text += "## Broken destinations\n\nFrom the first invocation on. Extra: until the next poll, on average, above no tracing.\n\n";
        text += &broken(faults);
    }
    text += "## Binaries\n\nRelease profile of the application, stripped.\n\n";
    text += &sizes(binaries);
    text
}

const INTRODUCTION: &str = "\
Every subject handles the same event of API Gateway with the same handler, which opens two spans with four attributes
each; the invocation's own span is the third. A process is frozen (SIGSTOP) from the moment it has asked for the next
event until that event comes. All variants run in each round, one after the other, in an order that differs from round
to round. Times are seen from outside: from the moment the event is handed out until the response has arrived, and
until the function (and its extension, if it has one for invocations) asks for the next. CPU is that of the whole process. `ours` has both
destinations and gzip; of the peers `official` has both, lambda-otel-lite OTLP alone, both without compression.
`lite-finalize` sends nothing before SIGTERM.
";

fn after(series: &Series) -> String {
    if series.collector == "at once" { series.collector.to_owned() } else { format!("after {}", series.collector) }
}

fn row<const N: usize>(cells: [&str; N]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn block(rows: &[String]) -> String {
    format!("{}\n\n", rows.join("\n"))
}

/// A table with a row for each variant and a column for each figure.
fn table<'a>(variants: impl Iterator<Item = &'a Measured>, cell: impl Fn(&Figure, &'a Measured) -> String) -> String {
    let head: Vec<&str> = figures::ALL.iter().map(|figure| figure.name).collect();
    let mut rows = vec![format!("| | {} |", head.join(" | ")), format!("|---|{}", "---|".repeat(head.len()))];
    for measured in variants {
        let cells: Vec<String> = figures::ALL.iter().map(|figure| cell(figure, measured)).collect();
        rows.push(format!("| {} | {} |", measured.variant.name, cells.join(" | ")));
    }
    block(&rows)
}

fn absolute(series: &Series) -> String {
    table(series.variants.iter(), |figure, measured| figure.show(figure.of(measured)))
}

fn relative(series: &Series) -> String {
    let none = series.none();
    let others = series.variants.iter().filter(|measured| measured.variant != NONE);
    table(others, |figure, measured| {
        let difference = figure.show_difference(figure.above(measured, none));
        format!("{difference} ({:.2}×)", figure.ratio(measured, none))
    })
}

fn against_best_peer(series: &Series) -> String {
    let peers: Vec<&Measured> = series.variants.iter().filter(|measured| measured.variant.kind == Kind::Peer).collect();
    if peers.is_empty() {
        return String::new();
    }
    let ours = series.variants.iter().filter(|measured| measured.variant.kind == Kind::Ours);
    table(ours, |figure, measured| {
        let best = peers.iter().min_by(|one, other| figure.of(one).total_cmp(&figure.of(other))).expect("a peer");
        format!("{:.2}× {}", figure.ratio(measured, best), best.variant.name)
    })
}

/// Each step adds something to the one before it.
fn steps(series: &Series) -> String {
    let steps = [
        (PARKED, "a parked thread, which each SIGSTOP and SIGCONT wakes; Lambda stops the whole machine instead"),
        (DISABLED, "the library in the process, switched off"),
        (RECORDED, "three spans recorded, that thread, the event looked at; nothing sent"),
        (TO_XRAY, "and one X-Ray document, in one datagram"),
        (OURS_ADAPTIVE, "and OTLP: encoded, packed, several invocations' spans in one request"),
        (OURS_END, "and a request for each invocation instead, awaited"),
    ];
    let found = steps.into_iter().filter_map(|(variant, what)| Some((series.find(&variant)?, what)));
    let rows = found.map(|(measured, what)| {
        let [cpu, response] =
            [CPU, RESPONSE_P50].map(|figure| figure.show_difference(figure.above(measured, series.none())));
        row([measured.variant.name, what, &cpu, &response])
    });
    let head =
        [row(["", "what there is", "CPU above none", "response p50 above none"]), "|---|---|---|---|".to_owned()];
    block(&head.into_iter().chain(rows).collect::<Vec<_>>())
}

fn arrivals(series: &Series) -> String {
    let mut rows = vec![
        row(["", "OTLP, killed while frozen", "OTLP, at the end", "X-Ray, killed while frozen", "X-Ray, at the end"]),
        "|---|---|---|---|---|".to_owned(),
    ];
    for measured in series.variants.iter().filter(|measured| matches!(measured.variant.kind, Kind::Ours | Kind::Peer)) {
        let runs = || measured.rounds.iter().map(|round| &round.run);
        let worst = |arrived: Vec<Arrived>| {
            let worst = arrived.into_iter().min_by_key(|arrived| (arrived.spans, arrived.joined)).expect("a round");
            let missing = if worst.without_root > 0 { ", root missing" } else { "" };
            format!("{} ({}{missing})", worst.spans, worst.joined)
        };
        let xray = |cell: String| if measured.variant.xray { cell } else { "–".to_owned() };
        rows.push(row([
            measured.variant.name,
            &worst(runs().map(|run| run.at_last_freeze.otlp).collect()),
            &worst(runs().map(|run| run.at_end.otlp).collect()),
            &xray(worst(runs().map(|run| run.at_last_freeze.xray).collect())),
            &xray(worst(runs().map(|run| run.at_end.xray).collect())),
        ]));
    }
    block(&rows)
}

fn cold_starts(cold: &[Cold]) -> String {
    let mut rows = vec![
        row(["", "init p50", "first response p50", "first next poll p50", "arrived by OTLP, killed while frozen"]),
        "|---|---|---|---|---|".to_owned(),
    ];
    for Cold { name, init, first_response, first_next_poll, arrived } in cold {
        let [init, response, poll] = [init, first_response, first_next_poll].map(|time| format!("{time:.2} ms"));
        let arrived = if *name == "none" { "–".to_owned() } else { arrived.to_string() };
        rows.push(row([name, &init, &response, &poll, &arrived]));
    }
    format!(
        "Two invocations of a new process, with a collector that answers at once. By TLS the init phase also reads the \
         trusted roots ({} certificates) and makes the handshake, with `AWS_LC_SYS_NO_JITTER_ENTROPY=1` in the build.\n\n{}",
        TLS.roots,
        block(&rows)
    )
}

fn broken(faults: &[Outcome]) -> String {
    let mut rows = vec![
        row(["", "fault", "invocations", "response p50", "above no fault", "extra per invocation"]),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    for outcome in faults {
        rows.push(row([
            outcome.variant.name,
            outcome.fault.name,
            &outcome.invocations.to_string(),
            &format!("{:.3} ms", outcome.response_p50),
            &outcome.response_above_no_fault.map_or_else(|| "–".to_owned(), |above| format!("{above:+.3} ms")),
            &format!("{:+.2} ms", outcome.extra),
        ]));
    }
    block(&rows)
}

fn sizes(binaries: &Binaries) -> String {
    let mut rows = vec![row(["", "size", "above its base"]), "|---|---|---|".to_owned()];
    let mut packages: Vec<&str> = ALL.iter().map(|variant| variant.package).collect();
    packages.dedup();
    packages.extend(["sdk", "sdk-ours"]);
    for package in packages {
        let base = if package.starts_with("sdk") { "sdk" } else { "none" };
        let (size, base) = (megabytes(binaries.size(package)), megabytes(binaries.size(base)));
        rows.push(row([package, &format!("{size:.2} MB"), &format!("{:+.2} MB", size - base)]));
    }
    rows.push(String::new());
    rows.push("`sdk` has a DynamoDB client and no tracing; `sdk-ours` the same and lambda-spans.".to_owned());
    format!("{}\n", rows.join("\n"))
}
