//! The Runtime API and the Extensions API of one execution environment, which is frozen while nobody works.

mod invocation;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::{self, Connection, Request};
pub(crate) use invocation::Invocation;

/// What the function posted.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
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
    answer: Option<Answer>,
    /// When the last of them had asked for its next event.
    idle: Option<Instant>,
}

#[derive(Debug)]
struct Extension {
    wants_invocations: bool,
    waits: Option<TcpStream>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let owner = Arc::downgrade(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The benchmark has let go of this environment.
                let Some(shared) = owner.upgrade() else { return };
                let connection = Connection::new(http::accepted(stream));
                thread::spawn(move || shared.serve(connection));
            }
        });
        Self { address, shared }
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Which process is frozen and thawed.
    pub(crate) fn freezes(&self, function: Pid) {
        let mut state = self.shared.lock();
        state.function = Some(function);
        // It may have asked before anybody knew whom to stop.
        if state.idle.is_some() {
            freeze(function);
        }
    }

    /// Whether anybody in the function would be told of its end.
    pub(crate) fn has_extensions(&self) -> bool {
        !self.shared.lock().extensions.is_empty()
    }

    /// Since when all have been waiting for their next event; none, if they are not within `limit`.
    pub(crate) fn idle(&self, limit: Duration) -> Option<Instant> {
        let state = self.shared.lock();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, limit, |state| state.idle.is_none()).expect("not poisoned");
        state.idle
    }

    /// Thaws the function and gives it the event; answers when it was handed out.
    pub(crate) fn hand_out(&self, invocation: &Invocation) -> Instant {
        let mut state = self.shared.lock();
        let mut runtime = state.runtime.take().expect("a runtime that waits");
        let told = state.extensions.iter_mut().filter(|extension| extension.wants_invocations);
        let told: Vec<TcpStream> = told.filter_map(|extension| extension.waits.take()).collect();
        state.idle = None;
        state.answer = None;
        let function = state.function.expect("a function");
        drop(state);
        let (event, notice) = (invocation.event(), invocation.notice());
        kill(function, Signal::SIGCONT).expect("a function");
        let handed_out = Instant::now();
        told.into_iter().for_each(|mut extension| http::write(&mut extension, &notice));
        http::write(&mut runtime, &event);
        handed_out
    }

    pub(crate) fn answer(&self) -> Answer {
        self.shared.lock().answer.clone().expect("an answer")
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
                ("GET", Some("next")) => self.wait(&request, connection.writer()),
                ("POST", Some("response" | "error")) => {
                    self.lock().answer = Some(Answer { arrived: request.arrived, body: request.body });
                    connection.write(&http::response("202 Accepted", &[], ""));
                }
                ("POST", Some("register")) => {
                    let wants_invocations = String::from_utf8_lossy(&request.body).contains("INVOKE");
                    let mut state = self.lock();
                    state.extensions.push(Extension { wants_invocations, waits: None });
                    let id = (state.extensions.len() - 1).to_string();
                    drop(state);
                    let headers = [("lambda-extension-identifier", id.as_str()), ("content-type", "application/json")];
                    connection.write(&http::response("200 OK", &headers, invocation::REGISTERED));
                }
                other => panic!("no such path in Lambda's APIs: {other:?}"),
            }
        }
    }

    /// Someone waits for its next event: the runtime, or the extension that says who it is.
    fn wait(&self, request: &Request, writer: TcpStream) {
        let mut state = self.lock();
        match request.header("lambda-extension-identifier") {
            Some(id) => {
                let id: usize = id.parse().expect("an id that was given here");
                state.extensions[id].waits = Some(writer);
            }
            None => state.runtime = Some(writer),
        }
        let all = state.runtime.is_some() && state.extensions.iter().all(|extension| extension.waits.is_some());
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
