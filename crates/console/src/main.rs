//! `lambda-console`: receives traces and shows them in a browser.

mod cli;
mod client;
#[cfg(feature = "mcp")]
mod mcp;
mod terminal;

use std::error::Error as _;
use std::io::{self, Write};
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use lambda_console::{Addresses, Console, DecodeError, GRPC_PORT, StartError};

use cli::{Arguments, Command, Serve, Target};
use client::ClientError;

/// Longer than any answer takes.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot listen for Ctrl-C")]
    Signal(#[source] io::Error),
    #[error("cannot read {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot import {}", path.display())]
    Import { path: PathBuf, source: DecodeError },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[cfg(feature = "mcp")]
    #[error(transparent)]
    Mcp(#[from] mcp::McpError),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = iter::successors(error.source(), |&cause| cause.source());
            let causes: String = causes.map(|cause| format!("  caused by: {cause}\n")).collect();
            print(io::stderr(), &format!("error: {error}\n{causes}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), RunError> {
    match arguments.command {
        None => serve(&arguments.serve, &[]).await,
        Some(Command::Open { files, serve: options }) => serve(&options, &files).await,
        Some(Command::List { last, filter, error, target }) => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &last.to_string());
            for condition in &filter {
                query.append_pair("filter", condition);
            }
            if error {
                query.append_pair("error", "true");
            }
            show(&target, &format!("/api/traces?{}", query.finish()), terminal::list).await
        }
        Some(Command::Show { id, target }) => {
            let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
            show(&target, &format!("/api/traces/{id}"), terminal::tree).await
        }
        #[cfg(feature = "mcp")]
        Some(Command::Mcp { at }) => Ok(mcp::serve(at).await?),
    }
}

async fn show(target: &Target, path: &str, text: fn(&serde_json::Value) -> String) -> Result<(), RunError> {
    let answer = client::get(&target.at, path).await?;
    print(io::stdout(), &if target.json { format!("{answer}\n") } else { text(&answer) });
    Ok(())
}

async fn serve(options: &Serve, files: &[PathBuf]) -> Result<(), RunError> {
    let console = Console::start(options.options()).await?;
    // Before the text after which a user may press Ctrl-C.
    let stop_requested = lambda_console::stop_requested().map_err(RunError::Signal)?;
    print(io::stdout(), &banner(console.addresses(), options.port, options.xray_port));
    for path in files {
        let bytes = std::fs::read(path).map_err(|source| RunError::File { path: path.clone(), source })?;
        let traces = console.import(&bytes).map_err(|source| RunError::Import { path: path.clone(), source })?;
        for trace in traces {
            print(io::stdout(), &format!("{}\n", console.page_url(trace)));
        }
    }
    stop_requested.await;
    // An open page must not delay the end.
    tokio::time::timeout(STOP_TIMEOUT, console.stop()).await.ok();
    Ok(())
}

fn banner(addresses: Addresses, port: u16, xray_port: u16) -> String {
    let Addresses { http, xray, grpc, .. } = addresses;
    let replaced = |wanted: u16, found: u16| {
        if wanted == found || wanted == 0 { String::new() } else { format!("  (port {wanted} is in use)") }
    };
    let mut text = format!("Traces         http://{http}/{}\n", replaced(port, http.port()));
    text += &format!("OTLP/HTTP      OTEL_EXPORTER_OTLP_ENDPOINT=http://{http}\n");
    if let Some(xray) = xray {
        text += &format!("X-Ray daemon   AWS_XRAY_DAEMON_ADDRESS={xray}{}\n", replaced(xray_port, xray.port()));
    }
    if grpc.is_none() {
        text += &format!("OTLP/gRPC      port {GRPC_PORT} is in use, so gRPC clients get no hint\n");
    }
    text
}

/// Ignores write errors: `lambda-console | head` closes the pipe early.
fn print(mut to: impl Write, text: &str) {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).ok();
}
