//! The signals that end a program.

use std::io;

/// Starts to listen for Ctrl-C or, on Unix, for the SIGTERM of `kill` and `docker stop`, and returns a future that completes
/// with it.
///
/// # Errors
/// If the operating system rejects the signal handlers.
#[cfg(unix)]
pub fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Starts to listen for Ctrl-C, and returns a future that completes with it.
///
/// # Errors
/// If the operating system rejects the handler.
#[cfg(windows)]
pub fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    let mut ctrl_c = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        ctrl_c.recv().await;
    })
}
