//! The command line.

/// The amount of work.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) invocations: usize,
    pub(crate) rounds: usize,
    /// The freeze between invocations, in milliseconds.
    pub(crate) gap_ms: u64,
    pub(crate) build: bool,
    pub(crate) faults: bool,
    /// Prefixes of the variants to run; all variants if empty.
    pub(crate) only: Vec<String>,
    /// The file to write the tables to, in addition to standard output.
    pub(crate) write: Option<String>,
    /// The file with the limits for instructions; if set, only instructions are counted.
    pub(crate) instructions: Option<String>,
    /// Whether to write that file.
    pub(crate) update: bool,
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            invocations: 300,
            rounds: 3,
            gap_ms: 0,
            build: true,
            faults: true,
            only: Vec::new(),
            write: None,
            instructions: None,
            update: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            let number = |text: String| -> usize { text.parse().unwrap_or_else(|_| panic!("{text} is not a number")) };
            match argument.as_str() {
                "--invocations" => options.invocations = number(value()),
                "--rounds" => options.rounds = number(value()),
                "--gap-ms" => options.gap_ms = number(value()) as u64,
                "--only" => options.only = value().split(',').map(str::to_owned).collect(),
                "--write" => options.write = Some(value()),
                "--instructions" => options.instructions = Some(value()),
                "--update" => options.update = true,
                "--no-build" => options.build = false,
                "--no-faults" => options.faults = false,
                other => panic!(
                    "unknown option {other}; allowed: --invocations N, --rounds N, --gap-ms N, --only NAME,…, --write FILE, \
                     --no-build, --no-faults, --instructions FILE, --update"
                ),
            }
        }
        options
    }
}
