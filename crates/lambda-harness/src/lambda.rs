//! The Runtime API of one execution environment.
//!
//! With `AWS_LAMBDA_MAX_CONCURRENCY` the function handles several invocations concurrently and is never frozen, as on
//! Lambda Managed Instances.

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::with_timeout;

const FUNCTION: &str = "cruddur-api";

/// One invocation's event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The payload, as JSON.
    pub payload: String,
    /// The value of `Lambda-Runtime-Trace-Id`; if empty, the header is omitted.
    pub trace_header: String,
    /// The time until the deadline.
    pub timeout: Duration,
}

/// The function's response to one event.
#[derive(Clone, Debug)]
pub struct InvocationResult {
    /// Whether the function posted a response; otherwise it posted an error.
    pub success: bool,
    /// The body of the response or error.
    pub body: String,
    /// When the Runtime API had received it.
    pub received_at: Instant,
}

/// One execution environment: the function's process and its Runtime API.
///
/// The process is killed when the Tokio runtime shuts down.
#[derive(Debug)]
pub struct Lambda {
    shared: Arc<Shared>,
    exit: JoinHandle<ExitStatus>,
    output: JoinHandle<String>,
    events: mpsc::UnboundedSender<(String, Event)>,
    polls: watch::Receiver<u64>,
    sent: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    pid: Mutex<Option<Pid>>,
    /// The maximum number of concurrent invocations.
    concurrency: u64,
    waiting: Mutex<HashMap<String, oneshot::Sender<InvocationResult>>>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Event)>>,
    polls: watch::Sender<u64>,
    /// SnapStart: whether the process has finished its init phase, and whether it was restored.
    initialized: watch::Sender<bool>,
    restored: watch::Sender<bool>,
}

impl Lambda {
    /// Starts `binary` with Lambda's reserved variables and `environment`. It inherits no other variables.
    pub async fn start(binary: impl AsRef<Path>, environment: &[(&str, String)]) -> Self {
        Self::start_with_args(binary, &[], environment).await
    }

    /// Like [`start`](Self::start), with command-line arguments.
    pub async fn start_with_args(binary: impl AsRef<Path>, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address").to_string();
        let (events, queue) = mpsc::unbounded_channel();
        let (polls, observed) = watch::channel(0);
        let concurrency = environment.iter().find(|(name, _)| *name == "AWS_LAMBDA_MAX_CONCURRENCY");
        let concurrency = concurrency.map_or(1, |(_, value)| value.parse().expect("a number"));
        let shared = Arc::new(Shared {
            pid: Mutex::default(),
            concurrency,
            waiting: Mutex::default(),
            queue: tokio::sync::Mutex::new(queue),
            polls,
            initialized: watch::Sender::new(false),
            restored: watch::Sender::new(false),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/restore/next", get(next_restore))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2020-01-01/extension/register", post(register_extension))
            .route("/2020-01-01/extension/event/next", get(next_extension_event))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let mut child = Command::new(binary.as_ref())
            .args(arguments)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{FUNCTION}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]00000000000000000000000000000000")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.as_ref().display()));
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        *lock(&shared.pid) = pid;
        let mut stdout = child.stdout.take().expect("a pipe");
        // Read continuously: a full pipe would block the process.
        let output = tokio::spawn(async move {
            let mut text = String::new();
            stdout.read_to_string(&mut text).await.expect("UTF-8");
            text
        });
        let exited = shared.clone();
        let exit = tokio::spawn(async move {
            let status = child.wait().await.expect("the process ends");
            *lock(&exited.pid) = None;
            // Dropping the senders ends all pending calls of `try_invoke`.
            lock(&exited.waiting).clear();
            status
        });
        Self { shared, exit, output, events, polls: observed, sent: AtomicU64::new(0) }
    }

    /// Sends an event and waits for the function's response or error.
    pub async fn invoke(&self, event: Event) -> InvocationResult {
        self.try_invoke(event).await.expect("the function exited without a response")
    }

    /// Like [`invoke`](Self::invoke), but returns `None` if the process exits without a response.
    pub async fn try_invoke(&self, event: Event) -> Option<InvocationResult> {
        let id = format!("00000000-0000-4000-8000-{:012}", self.sent.fetch_add(1, Ordering::Relaxed) + 1);
        let (sender, result) = oneshot::channel();
        lock(&self.shared.waiting).insert(id.clone(), sender);
        self.events.send((id, event)).expect("the Runtime API is running");
        with_timeout(result).await.ok()
    }

    /// Waits until the function has finished all invocations and polls for the next event. Unless it handles several
    /// invocations concurrently, it is frozen by then.
    pub async fn wait_until_frozen(&mut self) {
        let polls = self.sent.load(Ordering::Relaxed) + self.shared.concurrency;
        with_timeout(self.polls.wait_for(|seen| *seen >= polls)).await.expect("the Runtime API is running");
    }

    /// Keeps the function frozen for `time` after it has finished all invocations.
    pub async fn stay_frozen(&mut self, time: Duration) {
        self.wait_until_frozen().await;
        tokio::time::sleep(time).await;
    }

    /// Waits until a SnapStart function is ready for its snapshot.
    pub async fn wait_for_snapshot(&self) {
        with_timeout(self.shared.initialized.subscribe().wait_for(|initialized| *initialized))
            .await
            .expect("the Runtime API is running");
    }

    /// Restores a SnapStart function from its snapshot.
    pub fn restore(&self) {
        self.shared.restored.send_replace(true);
    }

    /// Kills the process with SIGKILL, as Lambda does after a timeout. Returns its standard output.
    pub async fn kill(self) -> String {
        self.shared.signal(Signal::SIGKILL);
        self.exit.await.expect("its status");
        self.output.await.expect("its output")
    }

    /// Thaws the process and sends SIGTERM. Returns its exit status and standard output.
    pub async fn terminate(self) -> (ExitStatus, String) {
        self.shared.signal(Signal::SIGCONT);
        self.shared.signal(Signal::SIGTERM);
        let status = with_timeout(self.exit).await.expect("its status");
        (status, self.output.await.expect("its output"))
    }
}

impl Shared {
    fn freezes(&self) -> bool {
        self.concurrency == 1
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = *lock(&self.pid) {
            kill(pid, signal).unwrap_or_else(|error| panic!("{signal} to {pid}: {error}"));
        }
    }

    fn finish(&self, id: &str, success: bool, body: &Bytes) -> StatusCode {
        let body = String::from_utf8_lossy(body).into_owned();
        let result = InvocationResult { success, body, received_at: Instant::now() };
        // The test may have stopped waiting.
        lock(&self.waiting).remove(id).map(|waiting| waiting.send(result));
        StatusCode::ACCEPTED
    }
}

async fn next_event(State(shared): State<Arc<Shared>>) -> Response {
    if shared.freezes() {
        shared.signal(Signal::SIGSTOP);
    }
    shared.polls.send_modify(|polls| *polls += 1);
    let mut queue = shared.queue.lock().await;
    let Some((id, event)) = queue.recv().await else {
        return StatusCode::GONE.into_response();
    };
    if shared.freezes() {
        shared.signal(Signal::SIGCONT);
    }
    #[expect(clippy::disallowed_methods, reason = "Lambda's deadlines are wall-clock times")]
    let deadline = SystemTime::now() + event.timeout;
    let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis().to_string();
    let mut response = event.payload.into_response();
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| headers.insert(name, value.parse().expect("a header"));
    set("lambda-runtime-aws-request-id", &id);
    set("lambda-runtime-deadline-ms", &deadline);
    set("lambda-runtime-invoked-function-arn", &format!("arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}"));
    if !event.trace_header.is_empty() {
        set("lambda-runtime-trace-id", &event.trace_header);
    }
    response
}

async fn next_restore(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.initialized.send_replace(true);
    with_timeout(shared.restored.subscribe().wait_for(|restored| *restored)).await.expect("the Runtime API is running");
    StatusCode::OK
}

async fn register_extension() -> Response {
    let body = format!(r#"{{"functionName":"{FUNCTION}","functionVersion":"$LATEST","handler":"bootstrap"}}"#);
    ([("lambda-extension-identifier", "00000000-0000-4000-8000-00000000e000")], body).into_response()
}

/// Never responds: the extension has subscribed to no events.
async fn next_extension_event() -> Response {
    std::future::pending().await
}

async fn response(State(shared): State<Arc<Shared>>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    shared.finish(&id, true, &body)
}

async fn error(State(shared): State<Arc<Shared>>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    shared.finish(&id, false, &body)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
