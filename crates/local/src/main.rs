//! `cargo run`: starts the local server.

use std::error::Error as _;
use std::io::{self, Write};
use std::iter;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::banner;
use cruddur_local::local_server::{LocalServer, StartError};
use cruddur_local::options::Options;
use lambda_spans::{InstallError, Settings, Spans};
use mimalloc::MiMalloc;

/// With glibc's allocator, a loaded server spends a quarter of its CPU time in `malloc` and `free`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Tracing(#[from] InstallError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot listen for Ctrl-C")]
    Signal(#[source] io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(io::stderr(), &with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), RunError> {
    let settings = Settings::from_env().with_default_service_name("cruddur-local");
    let settings = settings.with_default_service_version(env!("CARGO_PKG_VERSION"));
    let spans = Spans::install(settings.with_terminal())?;
    let server = LocalServer::start(&options, Clock::system(), Some(&spans)).await?;
    print(io::stdout(), &banner::text(&server));

    stop_requested().await.map_err(RunError::Signal)?;
    if !server.stop().await {
        print(io::stderr(), "Stopped before all requests were finished.\n");
    }
    spans.shutdown(FLUSH_TIMEOUT).await;
    print(io::stdout(), "Stopped.\n");
    Ok(())
}

/// Waits for Ctrl-C or, on Unix, for the SIGTERM of `kill` and `docker stop`.
async fn stop_requested() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Formats the error and, on indented lines, its causes.
fn with_causes(error: &RunError) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    let causes = causes.map(|cause| format!("  caused by: {cause}\n"));
    iter::once(format!("error: {error}\n")).chain(causes).collect()
}

/// Ignores write errors: `cargo run | head` closes the pipe early.
fn print(mut to: impl Write, text: &str) {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).ok();
}
