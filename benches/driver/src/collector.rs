//! The stand-in for Honeycomb. It keeps the bodies and reads them when the run is over.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::http::{self, Connection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 200 after this time.
    Answers(Duration),
    /// 503 at once.
    Fails,
    /// Takes connections and requests, and never answers.
    Silent,
    /// Nothing listens on its port.
    Refuses,
}

/// A request's body.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) gzip: bool,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    bodies: Mutex<Vec<Body>>,
    ended: AtomicBool,
}

impl Collector {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        if behaviour != Behaviour::Refuses {
            let shared = shared.clone();
            thread::spawn(move || accept(&listener, behaviour, &shared));
        }
        Self { address, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived, and was or will be answered as received, so far.
    pub(crate) fn bodies(&self) -> Vec<Body> {
        self.shared.bodies.lock().expect("not poisoned").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        TcpStream::connect(self.address).ok();
    }
}

fn accept(listener: &TcpListener, behaviour: Behaviour, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ended.load(Ordering::Acquire) {
            return;
        }
        let connection = Connection::new(stream.expect("a connection"));
        let shared = shared.clone();
        thread::spawn(move || serve(connection, behaviour, &shared));
    }
}

fn serve(mut connection: Connection, behaviour: Behaviour, shared: &Shared) {
    let writer = connection.writer();
    while let Some(request) = connection.read() {
        match behaviour {
            Behaviour::Answers(after) => {
                let gzip = request.header("content-encoding") == Some("gzip");
                shared.bodies.lock().expect("not poisoned").push(Body { gzip, bytes: request.body });
                thread::sleep(after);
                http::write(&writer, &http::response("200 OK", &[("content-type", "application/x-protobuf")], ""));
            }
            Behaviour::Fails => http::write(&writer, &http::response("503 Service Unavailable", &[], "")),
            Behaviour::Silent | Behaviour::Refuses => {}
        }
    }
}
