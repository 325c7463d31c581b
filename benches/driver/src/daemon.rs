//! The emulated X-Ray daemon. It stores the datagrams, which are decoded after the run.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const MAX_DATAGRAM: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Daemon {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    datagrams: Mutex<Vec<Vec<u8>>>,
    ended: AtomicBool,
}

impl Daemon {
    /// Starts the daemon. Unless `listening`, it only reserves an address and closes the port.
    pub(crate) fn start(listening: bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket option");
        let address = socket.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        if listening {
            let shared = shared.clone();
            thread::spawn(move || receive(&socket, &shared));
        }
        Self { address, shared }
    }

    /// Returns the value for `AWS_XRAY_DAEMON_ADDRESS`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn datagrams(&self) -> Vec<Vec<u8>> {
        self.shared.datagrams.lock().expect("not poisoned").clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
    }
}

fn receive(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    while !shared.ended.load(Ordering::Acquire) {
        // An error is the read timeout, after which the loop checks for the end of the run.
        if let Ok(length) = socket.recv(&mut buffer) {
            shared.datagrams.lock().expect("not poisoned").push(buffer[..length].to_vec());
        }
    }
}
