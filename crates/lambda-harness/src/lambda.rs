//! The Runtime API of one execution environment.
//!
//! With `AWS_LAMBDA_MAX_CONCURRENCY` it has several invocations at once and is never frozen, as on Managed Instances.

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

use crate::within;

const FUNCTION: &str = "cruddur-api";

/// One event for the function.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's JSON.
    pub payload: String,
    /// The value of `Lambda-Runtime-Trace-Id`; none is sent where it is empty.
    pub trace: String,
    /// From now to the deadline.
    pub timeout: Duration,
}

/// What the function posted for one event.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it was posted as a response, not as an error.
    pub success: bool,
    /// The body of the post.
    pub body: String,
    /// When the post had arrived.
    pub at: Instant,
}

/// One execution environment: a process of the function and its Runtime API.
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
    /// How many events the process asks for at once.
    concurrency: u64,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Event)>>,
    polls: watch::Sender<u64>,
    /// Whether the process is ready to become a snapshot, and whether it was restored from it.
    ready: watch::Sender<bool>,
    restored: watch::Sender<bool>,
}

impl Lambda {
    /// Starts `binary` with Lambda's own variables and `environment`, and nothing else of this process's.
    pub async fn start(binary: impl AsRef<Path>, environment: &[(&str, String)]) -> Self {
        Self::start_with(binary, &[], environment).await
    }

    /// The same with arguments.
    pub async fn start_with(binary: impl AsRef<Path>, arguments: &[&str], environment: &[(&str, String)]) -> Self {
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
            ready: watch::Sender::new(false),
            restored: watch::Sender::new(false),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/restore/next", get(restore))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(responded))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .route("/2020-01-01/extension/register", post(registered))
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
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.as_ref().display()));
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        *lock(&shared.pid) = pid;
        let mut stdout = child.stdout.take().expect("a pipe");
        // Read all the time: a full pipe would stop the process.
        let output = tokio::spawn(async move {
            let mut text = String::new();
            stdout.read_to_string(&mut text).await.expect("UTF-8");
            text
        });
        let ended = shared.clone();
        let exit = tokio::spawn(async move {
            let status = child.wait().await.expect("the process ends");
            *lock(&ended.pid) = None;
            // Whoever waits for an answer learns that there will be none.
            lock(&ended.waiting).clear();
            status
        });
        Self { shared, exit, output, events, polls: observed, sent: AtomicU64::new(0) }
    }

    /// Sends an event, and waits for what the function posts.
    pub async fn invoke(&self, event: Event) -> Answer {
        self.try_invoke(event).await.expect("the function ended without an answer")
    }

    /// The same for a function that may end before: then there is no answer.
    pub async fn try_invoke(&self, event: Event) -> Option<Answer> {
        let id = format!("00000000-0000-4000-8000-{:012}", self.sent.fetch_add(1, Ordering::Relaxed) + 1);
        let (sender, answer) = oneshot::channel();
        lock(&self.shared.waiting).insert(id.clone(), sender);
        self.events.send((id, event)).expect("the Runtime API is there");
        within(answer).await.ok()
    }

    /// Waits until the function has asked for all events that it can have at once, and is stopped if Lambda would.
    pub async fn frozen(&mut self) {
        let polls = self.sent.load(Ordering::Relaxed) + self.shared.concurrency;
        within(self.polls.wait_for(|seen| *seen >= polls)).await.expect("the Runtime API is there");
    }

    /// Waits until a function of SnapStart is ready to become a snapshot.
    pub async fn snapshot(&self) {
        within(self.shared.ready.subscribe().wait_for(|ready| *ready)).await.expect("the Runtime API is there");
    }

    /// Tells a function of SnapStart that it was restored.
    pub fn restore(&self) {
        self.shared.restored.send_replace(true);
    }

    /// Ends the process without a word to it, as Lambda does after a crash or a timeout.
    pub async fn kill(self) -> String {
        self.shared.signal(Signal::SIGKILL);
        self.exit.await.expect("its status");
        self.output.await.expect("its output")
    }

    /// Lets the process go on, tells it to end, and gives what it wrote to standard output.
    pub async fn terminate(self) -> (ExitStatus, String) {
        self.shared.signal(Signal::SIGCONT);
        self.shared.signal(Signal::SIGTERM);
        let status = within(self.exit).await.expect("its status");
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

    fn answer(&self, id: &str, success: bool, body: &Bytes) -> StatusCode {
        let answer = Answer { success, body: String::from_utf8_lossy(body).into_owned(), at: Instant::now() };
        // The test may have stopped waiting.
        lock(&self.waiting).remove(id).map(|waiting| waiting.send(answer));
        StatusCode::ACCEPTED
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
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
    #[expect(clippy::disallowed_methods, reason = "a deadline is a time of day")]
    let deadline = SystemTime::now() + event.timeout;
    let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis().to_string();
    let mut response = event.payload.into_response();
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| headers.insert(name, value.parse().expect("a header"));
    set("lambda-runtime-aws-request-id", &id);
    set("lambda-runtime-deadline-ms", &deadline);
    set("lambda-runtime-invoked-function-arn", &format!("arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}"));
    if !event.trace.is_empty() {
        set("lambda-runtime-trace-id", &event.trace);
    }
    response
}

async fn restore(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.ready.send_replace(true);
    within(shared.restored.subscribe().wait_for(|restored| *restored)).await.expect("the Runtime API is there");
    StatusCode::OK
}

async fn registered() -> Response {
    let body = format!(r#"{{"functionName":"{FUNCTION}","functionVersion":"$LATEST","handler":"bootstrap"}}"#);
    ([("lambda-extension-identifier", "00000000-0000-4000-8000-00000000e000")], body).into_response()
}

/// An extension without subscriptions waits for ever.
async fn next_extension_event() -> Response {
    std::future::pending().await
}

async fn responded(State(shared): State<Arc<Shared>>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    shared.answer(&id, true, &body)
}

async fn failed(State(shared): State<Arc<Shared>>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    shared.answer(&id, false, &body)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
