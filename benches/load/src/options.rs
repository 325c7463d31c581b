//! The arguments.

use std::time::Duration;

/// Whose requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the original's last client: users sign in.
    Later,
    /// Of the original's weeks 0 to 2: nobody signs in, and nothing can be liked.
    Week2,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The program that is started; none where a server runs already.
    pub(crate) server: Option<String>,
    /// Host and port of a server that runs already.
    pub(crate) address: Option<String>,
    /// Its process, to read its memory.
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
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
            let number = |text: String| -> u32 { text.parse().unwrap_or_else(|_| panic!("{text} is no number")) };
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
                        other => panic!("{other} is no client: later or week2"),
                    }
                }
                other => panic!(
                    "{other}: allowed are --server PROGRAM or --address HOST:PORT with --pid N, --client later|week2, \
                     --connections N, --seconds N, --write FILE"
                ),
            }
        }
        assert!(options.server.is_some() != options.address.is_some(), "either --server or --address must be given");
        options
    }
}
