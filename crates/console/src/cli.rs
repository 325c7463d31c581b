//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use lambda_console::{GRPC_PORT, HTTP_PORT, Options, XRAY_PORT};

/// The address of a console with default options.
const DEFAULT_ADDRESS: &str = "127.0.0.1:4318";

/// Receives traces over OTLP and the X-Ray daemon's protocol, and shows them in a browser.
#[derive(Debug, Parser)]
#[command(name = "lambda-console", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a console with the traces of files: OTLP in JSON or protobuf, or X-Ray documents
    Open {
        /// Files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,

        #[command(flatten)]
        serve: Serve,
    },
    /// List the newest traces of a running console
    List {
        /// Number of traces
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        last: u16,

        /// Condition such as http.route=/users; repeatable
        #[arg(long, value_name = "CONDITION")]
        filter: Vec<String>,

        /// Only traces in which a span failed
        #[arg(long)]
        error: bool,

        #[command(flatten)]
        target: Target,
    },
    /// Show one trace of a running console as a tree
    Show {
        /// Trace id, in W3C's or X-Ray's form
        #[arg(value_name = "ID")]
        id: String,

        #[command(flatten)]
        target: Target,
    },
    /// Offer the traces of a running console to a coding agent (Model Context Protocol on standard input and output)
    #[cfg(feature = "mcp")]
    Mcp {
        /// Address of the running console
        #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS)]
        at: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Address of the running console
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS)]
    pub(crate) at: String,

    /// Print the answer of the API
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on; other machines and containers can reach 0.0.0.0
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,

    /// Port of the page and of OTLP/HTTP; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = HTTP_PORT)]
    pub(crate) port: u16,

    /// UDP port of X-Ray documents; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = XRAY_PORT)]
    pub(crate) xray_port: u16,

    /// Memory for traces in MiB; the oldest traces are evicted
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) max_mib: u32,

    /// Host name under which a browser reaches the page, for forwarded ports; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,

    /// Origin whose web pages may send spans; repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,

    /// Folder with the page's files, for the development of the page
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) page_folder: Option<PathBuf>,
}

impl Serve {
    /// Returns the options of a console.
    pub(crate) fn options(&self) -> Options {
        Options {
            listen: self.listen,
            http_port: self.port,
            xray_port: Some(self.xray_port),
            grpc_port: Some(GRPC_PORT),
            max_bytes: usize::try_from(self.max_mib).unwrap_or(64) << 20,
            allow_hosts: self.allow_host.clone(),
            allow_origins: self.allow_origin.clone(),
            page_folder: self.page_folder.clone(),
            ..Options::default()
        }
    }
}
