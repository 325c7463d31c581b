//! The server process under load.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::{Kind, Options};

/// The unit of CPU times in `/proc`: a hundredth of a second on all common systems.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pids: Vec<u32>,
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    program: String,
    arguments: Vec<String>,
    child: Child,
    data: PathBuf,
}

impl Server {
    /// Starts the program with a new data directory, or connects to a running server.
    pub(crate) fn start(options: &Options) -> Self {
        if let Some(address) = &options.address {
            return Self::running(address, &options.pids);
        }
        let (api, dynamodb) = (free_port(), free_port());
        let data = std::env::temp_dir().join(format!("cruddur-load-{}", std::process::id()));
        let program = options.server.clone().expect("a program");
        let mut arguments = vec!["--port".to_owned(), api.to_string(), "--dynamodb-port".to_owned()];
        arguments.extend([dynamodb.to_string(), "--data-dir".to_owned(), data.to_string_lossy().into_owned()]);
        if options.console {
            arguments.extend(["--console-port".to_owned(), "0".to_owned()]);
        } else {
            arguments.push("--no-console".to_owned());
        }
        if options.client == Kind::Week2 {
            arguments.extend(["--compat".to_owned(), "week2".to_owned()]);
        }
        let address = SocketAddr::from(([127, 0, 0, 1], api));
        let child = spawn(&program, &arguments, address);
        let pids = vec![child.id()];
        Self { address, pids, started: Some(Started { program, arguments, child, data }) }
    }

    /// Connects to a running server.
    pub(crate) fn running(address: &str, pids: &[u32]) -> Self {
        let address = address.to_socket_addrs().expect("HOST:PORT").next().expect("an address");
        Self { address, pids: pids.to_vec(), started: None }
    }

    /// Copies the posts of the stopped server until there are `posts`, then starts it again.
    pub(crate) fn fill(&mut self, posts: u32) {
        self.wait_until_idle();
        let started = self.started.as_mut().expect("--posts needs --server");
        let stopped = Command::new("kill").arg(started.child.id().to_string()).status().expect("kill");
        assert!(stopped.success(), "the server cannot be stopped");
        started.child.wait().expect("the server stops");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fill.py");
        let filled = Command::new("python3")
            .arg(script)
            .arg(started.data.join("dynamodb.sqlite"))
            .arg(posts.to_string())
            .stdout(Stdio::null())
            .status();
        assert!(filled.expect("python3").success(), "filling the table failed");
        started.child = spawn(&started.program, &started.arguments, self.address);
        self.pids = vec![started.child.id()];
        self.wait_until_idle();
    }

    /// Waits until the server uses less than 5 % of a CPU. The side effects of its writes are then done.
    pub(crate) fn wait_until_idle(&self) {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(300) && self.idle_share(Duration::from_secs(1)) > 0.05 {}
    }

    /// Returns the share of one CPU that the server uses during `time`.
    pub(crate) fn idle_share(&self, time: Duration) -> f64 {
        let (before, begin) = (self.cpu_seconds(), Instant::now());
        thread::sleep(time);
        (self.cpu_seconds() - before) / begin.elapsed().as_secs_f64()
    }

    /// Returns the CPU time that the server has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks = |pid: &u32| -> Option<f64> {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The fields after the name in parentheses, which may contain spaces. User and system time are the 12th and 13th.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
            Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
        };
        self.pids.iter().filter_map(ticks).sum::<f64>() / TICKS_PER_SECOND
    }

    /// Returns the current and the peak memory in MB.
    pub(crate) fn memory(&self) -> Option<(u64, u64)> {
        let of = |pid: &u32| -> Option<(u64, u64)> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let megabytes = |name: &str| -> Option<u64> {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                Some(line.trim().split(' ').next()?.parse::<u64>().ok()? / 1024)
            };
            Some((megabytes("VmRSS:")?, megabytes("VmHWM:")?))
        };
        let all: Option<Vec<(u64, u64)>> = self.pids.iter().map(of).collect();
        let all = all.filter(|all| !all.is_empty())?;
        Some(all.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(started) = &mut self.started {
            started.child.kill().ok();
            started.child.wait().ok();
            fs::remove_dir_all(&started.data).ok();
        }
    }
}

fn spawn(program: &str, arguments: &[String], address: SocketAddr) -> Child {
    // The server prints traces to standard error. The measurement includes the formatting but no terminal.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    for _ in 0..600 {
        if TcpStream::connect(address).is_ok() {
            return child;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the server does not listen on {address} after 30 s");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}
