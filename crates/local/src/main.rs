//! `cargo run`: Cruddur on this machine.

use std::error::Error as _;
use std::io::{self, Write};
use std::iter;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cruddur::clock::Clock;
use cruddur_local::banner;
use cruddur_local::options::Options;
use cruddur_local::running::{Running, StartError};
use lambda_spans::{InstallError, Settings, SettingsErrors, Spans};

/// Longer than any request of ours; a client that sent half of one does not hold the end up.
const REQUESTS_END_WITHIN: Duration = Duration::from_secs(3);
const SPANS_LEAVE_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(SettingsErrors),
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
        Err(failure) => {
            print(io::stderr(), &described(&failure));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Failure> {
    let settings = Settings::from_env().map_err(|faults| Failure::Settings(SettingsErrors(faults)))?;
    let spans = Spans::install(settings.with_terminal().with_default_service_name("cruddur-local"))?;
    let running = Running::start(&options, Clock::system(), Some(&spans)).await?;
    print(io::stdout(), &banner::text(&running));

    asked_to_end().await.map_err(Failure::Signal)?;
    if tokio::time::timeout(REQUESTS_END_WITHIN, running.stop()).await.is_err() {
        print(io::stderr(), "A request was still under way and is cut off.\n");
    }
    spans.shutdown(SPANS_LEAVE_WITHIN).await;
    print(io::stdout(), "Ended.\n");
    Ok(())
}

/// Waits for Ctrl-C or, as `kill` and `docker stop` send it, SIGTERM.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// What went wrong, and beneath it why.
fn described(failure: &Failure) -> String {
    let causes = iter::successors(failure.source(), |&cause| cause.source());
    let causes = causes.map(|cause| format!("  because: {cause}\n"));
    iter::once(format!("error: {failure}\n")).chain(causes).collect()
}

/// `cargo run | head` closes the output early, which is no fault.
fn print(mut to: impl Write, text: &str) {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).ok();
}
