//! The panic hook: a log line and an exception on the innermost open span.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use tracing::error;

use crate::attributes::{EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE};
use crate::trace::exception::{Exception, ExceptionMessages};
use crate::trace::outcome::{PANIC, record_panic};

/// Reports each panic, then calls the hook that was set before.
///
/// The earlier hook may be Rust's own, which prints the message on standard error. Nothing distinguishes that hook from
/// another one. If messages must go nowhere, standard error is redirected while the earlier hook runs.
pub(crate) fn report_panics(messages: ExceptionMessages) {
    let earlier = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic, messages);
        match messages {
            ExceptionMessages::None => silence::without_stderr(|| earlier(panic)),
            ExceptionMessages::Log | ExceptionMessages::All => earlier(panic),
        }
    }));
}

fn report(panic: &PanicHookInfo<'_>, messages: ExceptionMessages) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().map(str::to_owned);
    let backtrace = Backtrace::capture();
    let stacktrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let logged = message.as_deref().filter(|_| messages != ExceptionMessages::None);
    error!(place, { EXCEPTION_MESSAGE } = logged, { EXCEPTION_STACKTRACE } = stacktrace, "panicked");
    record_panic(Exception::new(PANIC, message, stacktrace));
}

#[cfg(target_os = "linux")]
mod silence {
    use std::fs::OpenOptions;
    use std::os::fd::OwnedFd;
    use std::sync::{Mutex, PoisonError};

    use rustix::io::{Errno, fcntl_dupfd_cloexec};
    use rustix::stdio::{dup2_stderr, stderr};

    /// Two threads that panic must not restore each other's redirection.
    static REDIRECTION: Mutex<()> = Mutex::new(());

    /// Calls `hook` with standard error redirected to `/dev/null`, and not at all if that fails.
    pub(super) fn without_stderr(hook: impl FnOnce()) {
        let _one_at_a_time = REDIRECTION.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(null) = OpenOptions::new().write(true).open("/dev/null") else { return };
        let redirected = || -> Result<OwnedFd, Errno> {
            let kept = fcntl_dupfd_cloexec(stderr(), 3)?;
            dup2_stderr(&null)?;
            Ok(kept)
        };
        if let Ok(kept) = redirected() {
            hook();
            // If this fails, standard error stays silent.
            dup2_stderr(&kept).ok();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod silence {
    /// Does not call `hook`: other systems run no Lambda function, and standard error is redirected on Linux only.
    pub(super) fn without_stderr(_: impl FnOnce()) {}
}
