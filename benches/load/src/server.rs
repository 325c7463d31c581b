//! The server process under load.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::options::{Kind, Options};

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pid: Option<u32>,
    started: Option<(Child, PathBuf)>,
}

impl Server {
    /// Starts the program with a new data directory, or connects to a running server.
    pub(crate) fn start(options: &Options) -> Self {
        if let Some(address) = &options.address {
            let address = address.to_socket_addrs().expect("HOST:PORT").next().expect("an address");
            return Self { address, pid: options.pid, started: None };
        }
        let (api, dynamodb) = (free_port(), free_port());
        let data = std::env::temp_dir().join(format!("cruddur-load-{}", std::process::id()));
        let mut command = Command::new(options.server.as_deref().expect("a program"));
        command.args(["--port", &api.to_string(), "--dynamodb-port", &dynamodb.to_string(), "--data-dir"]).arg(&data);
        if options.client == Kind::Week2 {
            command.args(["--compat", "week2"]);
        }
        // The server prints traces to standard error. The measurement includes the formatting but no terminal.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("the server starts");
        let address = SocketAddr::from(([127, 0, 0, 1], api));
        let pid = Some(child.id());
        for _ in 0..600 {
            if TcpStream::connect(address).is_ok() {
                return Self { address, pid, started: Some((child, data)) };
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not listen on {address} after 30 s");
    }

    /// Returns the current and the peak memory in MB.
    pub(crate) fn memory(&self) -> Option<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let megabytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().split(' ').next()?.parse::<u64>().ok()? / 1024)
        };
        Some((megabytes("VmRSS:")?, megabytes("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, data)) = &mut self.started {
            child.kill().ok();
            child.wait().ok();
            fs::remove_dir_all(data).ok();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}
