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
use lambda_console::Console;
use lambda_spans::{InstallError, Settings, Spans};
use mimalloc::MiMalloc;
use tokio::runtime;

/// With glibc's allocator, a loaded server spends a quarter of its CPU time in `malloc` and `free`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Tracing(#[from] InstallError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Console(#[from] lambda_console::StartError),
    #[error("cannot start threads")]
    Runtime(#[source] io::Error),
    #[error("cannot listen for Ctrl-C")]
    Signal(#[source] io::Error),
}

/// The number of tasks that a thread runs before it checks for new connections and requests. The embedded database runs
/// on these threads, so a task may take milliseconds. With Tokio's default of 61, rejections under overload were late.
const TASKS_PER_CHECK: u32 = 8;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = runtime::Builder::new_multi_thread().enable_all().event_interval(TASKS_PER_CHECK).build();
    match runtime.map_err(RunError::Runtime).and_then(|runtime| runtime.block_on(run(options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(io::stderr(), &with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), RunError> {
    // Starts before tracing, which sends to its addresses.
    let console = match options.no_console || options.console_url.is_some() {
        true => None,
        false => Some(Console::start(console_options(&options)).await?),
    };
    let spans = Spans::install(settings(&options, console.as_ref()))?;
    let url = console.as_ref().map(Console::url).or_else(|| options.console_url.clone());
    let server = LocalServer::start(&options, Clock::system(), Some(&spans), url.as_deref()).await?;
    // Before the text that asks for Ctrl-C.
    let stop_requested = lambda_console::stop_requested().map_err(RunError::Signal)?;
    print(
        io::stdout(),
        &banner::text(&server, console.as_ref().map(|console| banner::traces(console, &options)).as_deref()),
    );

    stop_requested.await;
    if !server.stop().await {
        print(io::stderr(), "Stopped before all requests were finished.\n");
    }
    spans.shutdown(FLUSH_TIMEOUT).await;
    if let Some(console) = console {
        // An open page must not delay the end.
        tokio::time::timeout(CONSOLE_TIMEOUT, console.stop()).await.ok();
    }
    print(io::stdout(), "Stopped.\n");
    Ok(())
}

fn console_options(options: &Options) -> lambda_console::Options {
    let allow_origins = options.allow_origin.clone();
    lambda_console::Options { http_port: options.console_port, allow_origins, ..lambda_console::Options::default() }
}

/// The console gets spans over the wire, as every destination does.
fn settings(options: &Options, console: Option<&Console>) -> Settings {
    let settings = Settings::from_env().with_default_service_name("cruddur-local");
    let settings = settings.with_default_service_version(env!("CARGO_PKG_VERSION")).with_adopted_trace_ids();
    let settings = match console.map(Console::addresses) {
        Some(addresses) => settings.with_viewer(addresses.http, addresses.xray),
        None => settings,
    };
    match options.trace_tree {
        true => settings.with_terminal(),
        false => settings.with_request_lines(console.map(|console| format!("{}#/trace/", console.url())).as_deref()),
    }
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
