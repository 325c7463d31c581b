//! The emulated OTLP collector. It stores the bodies, which are decoded after the run.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::http::{self, Connection};
use crate::tls::Tls;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Responds with 200 after this time.
    Responds(Duration),
    /// Responds with 503 immediately.
    Fails,
    /// Accepts connections and requests, and never responds.
    Silent,
    /// Refuses connections.
    Refuses,
}

/// A request body.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) gzip: bool,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    bodies: Mutex<Vec<Body>>,
    ended: AtomicBool,
}

impl Collector {
    pub(crate) fn start(behavior: Behavior, tls: Option<&'static Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        if behavior != Behavior::Refuses {
            let shared = shared.clone();
            thread::spawn(move || accept(&listener, behavior, tls, &shared));
        }
        Self { address, scheme: if tls.is_some() { "https" } else { "http" }, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Returns the bodies of all requests so far that get a 200.
    pub(crate) fn bodies(&self) -> Vec<Body> {
        self.shared.bodies.lock().expect("not poisoned").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the accepting thread.
        TcpStream::connect(self.address).ok();
    }
}

fn accept(listener: &TcpListener, behavior: Behavior, tls: Option<&'static Tls>, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ended.load(Ordering::Acquire) {
            return;
        }
        let stream = http::accepted(stream);
        let shared = shared.clone();
        thread::spawn(move || match tls {
            Some(tls) => serve(Connection::new(tls.accept(stream)), behavior, &shared),
            None => serve(Connection::new(stream), behavior, &shared),
        });
    }
}

fn serve<S: Read + Write>(mut connection: Connection<S>, behavior: Behavior, shared: &Shared) {
    while let Some(request) = connection.read() {
        match behavior {
            Behavior::Responds(after) => {
                let gzip = request.header("content-encoding") == Some("gzip");
                shared.bodies.lock().expect("not poisoned").push(Body { gzip, bytes: request.body });
                thread::sleep(after);
                connection.write(&http::response("200 OK", &[("content-type", "application/x-protobuf")], ""));
            }
            Behavior::Fails => connection.write(&http::response("503 Service Unavailable", &[], "")),
            Behavior::Silent | Behavior::Refuses => {}
        }
    }
}
