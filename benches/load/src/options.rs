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
    /// Whether the started server also runs its console.
    pub(crate) console: bool,
    /// Host and port of a running server.
    pub(crate) address: Option<String>,
    /// The process ids of the running server, to read its memory and CPU time.
    pub(crate) pids: Vec<u32>,
    /// Host and port of a server to compare with.
    pub(crate) peer: Option<String>,
    /// The process ids of the peer.
    pub(crate) peer_pids: Vec<u32>,
    pub(crate) client: Kind,
    /// The numbers of connections, one run each.
    pub(crate) connections: Vec<u32>,
    /// The number of posts before the load.
    pub(crate) posts: u32,
    /// The length of a run, after the warm-up.
    pub(crate) time: Duration,
    pub(crate) write: Option<String>,
}

const USAGE: &str = "--server PROGRAM [--console] or --address HOST:PORT with --pid N[,N…], --client later|week2, \
                     --connections N[,N…], --posts N, --seconds N, --peer HOST:PORT with --peer-pid N[,N…], --write FILE";

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            server: None,
            console: false,
            address: None,
            pids: Vec::new(),
            peer: None,
            peer_pids: Vec::new(),
            client: Kind::Later,
            connections: vec![16, 200, 1000],
            posts: 200,
            time: Duration::from_secs(20),
            write: None,
        };
        while let Some(argument) = arguments.next() {
            if argument == "--console" {
                options.console = true;
                continue;
            }
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--server" => options.server = Some(value()),
                "--address" => options.address = Some(value()),
                "--pid" => options.pids = numbers(&value()),
                "--peer" => options.peer = Some(value()),
                "--peer-pid" => options.peer_pids = numbers(&value()),
                "--connections" => options.connections = numbers(&value()),
                "--posts" => options.posts = number(&value()),
                "--seconds" => options.time = Duration::from_secs(number(&value()).into()),
                "--write" => options.write = Some(value()),
                "--client" => {
                    options.client = match value().as_str() {
                        "later" => Kind::Later,
                        "week2" => Kind::Week2,
                        other => panic!("unknown client {other}; allowed: later, week2"),
                    }
                }
                "--help" => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                other => panic!("unknown option {other}; allowed: {USAGE}"),
            }
        }
        assert!(options.server.is_some() != options.address.is_some(), "set either --server or --address");
        options
    }
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| panic!("{text} is not a number"))
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(',').map(number).collect()
}
