//! The process of a function: signals, CPU time and memory.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    pub(crate) started: Instant,
}

impl Process {
    /// Starts `command` with only these variables. Its output is discarded.
    pub(crate) fn start(mut command: Command, environment: &[(&str, String)]) -> Self {
        command.env_clear().envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if std::env::var_os("BENCH_STDERR").is_none() {
            command.stderr(Stdio::null());
        }
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let pid = Pid::from_raw(child.id().cast_signed());
        Self { child, pid, started }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.pid));
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits until SIGSTOP has stopped the process.
    pub(crate) fn wait_until_stopped(&self) {
        match waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Stopped(..)) => {}
            other => panic!("expected the function to be frozen: {other:?}"),
        }
    }

    /// Returns whether the process has exited.
    pub(crate) fn has_exited(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Returns the CPU time of all threads so far, including threads that have ended.
    pub(crate) fn cpu(&self) -> Duration {
        let clock = clock_getcpuclockid(self.pid).expect("a process");
        Duration::from(clock.now().expect("its clock"))
    }

    /// Returns the peak resident memory in MiB.
    pub(crate) fn peak_memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("procfs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kib: f64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    }

    /// Thaws the process, sends SIGTERM, and waits for its end for at most `limit`.
    pub(crate) fn terminate(&mut self, limit: Duration) {
        self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
        let since = Instant::now();
        while !self.has_exited() && since.elapsed() < limit {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have exited already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
