//! The command line.

use std::time::Duration;

/// The web client whose requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The original's final client, with sign-in.
    Later,
    /// The original's client of weeks 0 to 2, without sign-in and likes.
    Week2,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The program to start, unless a server is running already.
    pub(crate) server: Option<String>,
    /// Host and port of a running server.
    pub(crate) address: Option<String>,
    /// The process id of the running server, to read its memory.
    pub(crate) pid: Option<u32>,
    pub(crate) client: Kind,
    pub(crate) connections: usize,
    pub(crate) time: Duration,
    pub(crate) write: Option<String>,
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            server: None,
            address: None,
            pid: None,
            client: Kind::Later,
            connections: 16,
            time: Duration::from_secs(20),
            write: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            let number = |text: String| -> u32 { text.parse().unwrap_or_else(|_| panic!("{text} is not a number")) };
            match argument.as_str() {
                "--server" => options.server = Some(value()),
                "--address" => options.address = Some(value()),
                "--pid" => options.pid = Some(number(value())),
                "--connections" => options.connections = number(value()) as usize,
                "--seconds" => options.time = Duration::from_secs(number(value()).into()),
                "--write" => options.write = Some(value()),
                "--client" => {
                    options.client = match value().as_str() {
                        "later" => Kind::Later,
                        "week2" => Kind::Week2,
                        other => panic!("unknown client {other}; allowed: later, week2"),
                    }
                }
                other => panic!(
                    "unknown option {other}; allowed: --server PROGRAM or --address HOST:PORT with --pid N, --client later|week2, \
                     --connections N, --seconds N, --write FILE"
                ),
            }
        }
        assert!(options.server.is_some() != options.address.is_some(), "set either --server or --address");
        options
    }
}
