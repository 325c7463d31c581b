//! The Runtime API and Extensions API of one execution environment, which is frozen between invocations.

mod invocation;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::{self, Connection, Request};
pub(crate) use invocation::Invocation;

/// The function's response.
#[derive(Clone, Debug)]
pub(crate) struct FunctionResponse {
    pub(crate) arrived: Instant,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    function: Option<Pid>,
    /// The connection on which the runtime waits for its next event.
    runtime: Option<TcpStream>,
    extensions: Vec<Extension>,
    response: Option<FunctionResponse>,
    /// When the runtime and all extensions had polled for their next event.
    idle: Option<Instant>,
}

#[derive(Debug)]
struct Extension {
    subscribed: bool,
    polling: Option<TcpStream>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let owner = Arc::downgrade(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The run is over.
                let Some(shared) = owner.upgrade() else { return };
                let connection = Connection::new(http::accepted(stream));
                thread::spawn(move || shared.serve(connection));
            }
        });
        Self { address, shared }
    }

    /// Returns the value for `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Sets the process to freeze and thaw.
    pub(crate) fn set_process(&self, function: Pid) {
        let mut state = self.shared.lock();
        state.function = Some(function);
        // The function may have polled before this call.
        if state.idle.is_some() {
            freeze(function);
        }
    }

    /// Returns whether an extension is registered. If so, Lambda sends SIGTERM before SIGKILL.
    pub(crate) fn has_extensions(&self) -> bool {
        !self.shared.lock().extensions.is_empty()
    }

    /// Waits until the runtime and all extensions poll, and returns the time of the last poll; `None` after `limit`.
    pub(crate) fn idle(&self, limit: Duration) -> Option<Instant> {
        let state = self.shared.lock();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, limit, |state| state.idle.is_none()).expect("not poisoned");
        state.idle
    }

    /// Thaws the function, sends the event, and returns the time of sending.
    pub(crate) fn send_event(&self, invocation: &Invocation) -> Instant {
        let mut state = self.shared.lock();
        let mut runtime = state.runtime.take().expect("a polling runtime");
        let subscribers = state.extensions.iter_mut().filter(|extension| extension.subscribed);
        let subscribers: Vec<TcpStream> = subscribers.filter_map(|extension| extension.polling.take()).collect();
        state.idle = None;
        state.response = None;
        let function = state.function.expect("a function");
        drop(state);
        let (event, notice) = (invocation.event(), invocation.notice());
        kill(function, Signal::SIGCONT).expect("a function");
        let sent = Instant::now();
        subscribers.into_iter().for_each(|mut extension| http::write(&mut extension, &notice));
        http::write(&mut runtime, &event);
        sent
    }

    pub(crate) fn response(&self) -> FunctionResponse {
        self.shared.lock().response.clone().expect("a response")
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.lock().runtime = None;
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn serve(&self, mut connection: Connection<TcpStream>) {
        while let Some(request) = connection.read() {
            match (request.method.as_str(), request.path.rsplit('/').next()) {
                ("GET", Some("next")) => self.record_poll(&request, connection.writer()),
                ("POST", Some("response" | "error")) => {
                    self.lock().response = Some(FunctionResponse { arrived: request.arrived, body: request.body });
                    connection.write(&http::response("202 Accepted", &[], ""));
                }
                ("POST", Some("register")) => {
                    let subscribed = String::from_utf8_lossy(&request.body).contains("INVOKE");
                    let mut state = self.lock();
                    state.extensions.push(Extension { subscribed, polling: None });
                    let id = (state.extensions.len() - 1).to_string();
                    drop(state);
                    let headers = [("lambda-extension-identifier", id.as_str()), ("content-type", "application/json")];
                    connection.write(&http::response("200 OK", &headers, invocation::REGISTERED));
                }
                other => panic!("unknown path of Lambda's APIs: {other:?}"),
            }
        }
    }

    /// Stores the connection of a poll by the runtime or, if the request has an extension id, by an extension.
    fn record_poll(&self, request: &Request, writer: TcpStream) {
        let mut state = self.lock();
        match request.header("lambda-extension-identifier") {
            Some(id) => {
                let id: usize = id.parse().expect("a registered extension id");
                state.extensions[id].polling = Some(writer);
            }
            None => state.runtime = Some(writer),
        }
        let all = state.runtime.is_some() && state.extensions.iter().all(|extension| extension.polling.is_some());
        if all {
            if let Some(function) = state.function {
                freeze(function);
            }
            state.idle = Some(request.arrived);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }
}

fn freeze(function: Pid) {
    kill(function, Signal::SIGSTOP).expect("a function");
}
