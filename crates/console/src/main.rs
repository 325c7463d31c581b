//! `lambda-console`: receives traces and shows them in a browser.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lambda_console::{Addresses, Console, GRPC_PORT, HTTP_PORT, Options, StartError, XRAY_PORT};

/// Longer than any answer takes.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Receives traces over OTLP and the X-Ray daemon's protocol, and shows them in a browser.
#[derive(Debug, Parser)]
#[command(name = "lambda-console", version)]
struct Arguments {
    /// Address to listen on; other machines and containers can reach 0.0.0.0
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,

    /// Port of the page and of OTLP/HTTP; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = HTTP_PORT)]
    port: u16,

    /// UDP port of X-Ray documents; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = XRAY_PORT)]
    xray_port: u16,

    /// Memory for traces in MiB; the oldest traces are evicted
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_mib: u32,

    /// Host name under which a browser reaches the page, for forwarded ports; repeatable
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,

    /// Origin whose web pages may send spans; repeatable
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,

    /// Folder with the page's files, for the development of the page
    #[arg(long, value_name = "DIR", hide = true)]
    page_folder: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot listen for Ctrl-C")]
    Signal(#[source] io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!("  caused by: {cause}\n"));
            print(io::stderr(), &format!("error: {error}\n{}", cause.unwrap_or_default()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), RunError> {
    let options = Options {
        listen: arguments.listen,
        http_port: arguments.port,
        xray_port: Some(arguments.xray_port),
        grpc_port: Some(GRPC_PORT),
        max_bytes: usize::try_from(arguments.max_mib).unwrap_or(64) << 20,
        allow_hosts: arguments.allow_host,
        allow_origins: arguments.allow_origin,
        page_folder: arguments.page_folder,
        ..Options::default()
    };
    let console = Console::start(options).await?;
    print(io::stdout(), &banner(console.addresses(), arguments.port, arguments.xray_port));
    stop_requested().await.map_err(RunError::Signal)?;
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

/// Ignores write errors: `lambda-console | head` closes the pipe early.
fn print(mut to: impl Write, text: &str) {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).ok();
}
