//! One process of a subject, from its start to its end.

use std::thread;
use std::time::{Duration, Instant};

use crate::arrivals::Arrivals;
use crate::binaries::Binaries;
use crate::collector::{Behaviour, Collector};
use crate::daemon::Daemon;
use crate::process::Process;
use crate::runtime_api::{Invocation, RuntimeApi};
use crate::tls::TLS;
use crate::variant::Variant;

/// From SIGTERM to SIGKILL, where an extension is registered.
const SHUTDOWN: Duration = Duration::from_millis(500);
/// Datagrams and bodies that are on their way when the function freezes have arrived by then.
const SETTLED: Duration = Duration::from_millis(60);
const LONGEST_INVOCATION: Duration = Duration::from_secs(60);

/// What a run is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Not measured.
    pub(crate) warm_up: usize,
    pub(crate) invocations: usize,
    /// No further invocation begins after this time.
    pub(crate) limit: Duration,
    pub(crate) gap: Duration,
    pub(crate) collector: Behaviour,
    pub(crate) over_tls: bool,
    pub(crate) daemon_listens: bool,
    pub(crate) count_allocations: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// From the start of the process to its first poll.
    pub(crate) init: Duration,
    /// From the event to the response.
    pub(crate) response: Vec<Duration>,
    /// From the event to the next poll.
    pub(crate) next_poll: Vec<Duration>,
    /// For each invocation.
    pub(crate) cpu: Duration,
    /// For each invocation; nought, where they were not counted.
    pub(crate) allocations: f64,
    pub(crate) allocated_bytes: f64,
    /// In MiB.
    pub(crate) peak_memory: f64,
    /// What there was when the function froze for the last time.
    pub(crate) at_last_freeze: Arrivals,
    /// What there was after its end, by SIGTERM if it has asked for that, else by SIGKILL.
    pub(crate) at_end: Arrivals,
}

/// Starts the subject and kills it at its first poll; answers how long that took.
pub(crate) fn init(variant: &Variant, binaries: &Binaries, plan: &Plan) -> Duration {
    Environment::start(variant, binaries, plan).init
}

pub(crate) fn run(variant: &Variant, binaries: &Binaries, plan: &Plan) -> Run {
    let mut environment = Environment::start(variant, binaries, plan);
    for _ in 0..plan.warm_up {
        environment.invoke(plan.gap);
    }
    let cpu_before = environment.process.cpu();
    let counted_before = environment.counted;
    let began = Instant::now();
    let (mut response, mut next_poll) = (Vec::new(), Vec::new());
    while response.len() < plan.invocations && began.elapsed() < plan.limit {
        let (answered, polled) = environment.invoke(plan.gap);
        response.push(answered);
        next_poll.push(polled);
    }
    let cpu = environment.process.cpu() - cpu_before;
    let peak_memory = environment.process.peak_memory();
    thread::sleep(SETTLED);
    let at_last_freeze = environment.arrived();
    // A profiler writes what it has seen when the process ends, and takes its time.
    let profiled = std::env::var_os("BENCH_PROFILED").is_some();
    if environment.api.has_extensions() || profiled {
        environment.process.terminate(if profiled { LONGEST_INVOCATION } else { SHUTDOWN });
        thread::sleep(SETTLED);
    }
    let at_end = environment.arrived();
    let measured = response.len();
    let each = |now: u64, before: u64| (now - before) as f64 / measured as f64;
    Run {
        init: environment.init,
        cpu: cpu / u32::try_from(measured).expect("not so many"),
        allocations: each(environment.counted.allocations, counted_before.allocations),
        allocated_bytes: each(environment.counted.bytes, counted_before.bytes),
        response,
        next_poll,
        peak_memory,
        at_last_freeze,
        at_end,
    }
}

/// A process with all that stands around it.
struct Environment {
    // Dropped in this order: the process is gone before its surroundings.
    process: Process,
    api: RuntimeApi,
    collector: Collector,
    daemon: Daemon,
    init: Duration,
    invocations: Vec<Invocation>,
    counted: Counted,
}

impl Environment {
    fn start(variant: &Variant, binaries: &Binaries, plan: &Plan) -> Self {
        let tls = plan.over_tls.then(|| &*TLS);
        let (api, collector, daemon) =
            (RuntimeApi::start(), Collector::start(plan.collector, tls), Daemon::start(plan.daemon_listens));
        let mut variables = vec![
            ("AWS_LAMBDA_RUNTIME_API", api.address()),
            ("AWS_LAMBDA_FUNCTION_NAME", "three-spans".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/three-spans".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]00000000000000000000000000000000".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("OTEL_SERVICE_NAME", "three-spans".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
            ("RUST_LOG", "info".to_owned()),
        ];
        variables.extend(variant.environment.iter().map(|(name, value)| (*name, (*value).to_owned())));
        variables.extend(variant.xray.then(|| ("AWS_XRAY_DAEMON_ADDRESS", daemon.address())));
        variables.extend(tls.map(|tls| ("SSL_CERT_FILE", tls.trusted.display().to_string())));
        variables.extend(plan.count_allocations.then(|| ("COUNT_ALLOCATIONS", "1".to_owned())));
        let process = Process::start(&binaries.path(variant.package), &variables);
        api.freezes(process.pid());
        let mut environment = Self {
            process,
            api,
            collector,
            daemon,
            init: Duration::ZERO,
            invocations: Vec::new(),
            counted: Counted::default(),
        };
        environment.init = environment.frozen().duration_since(environment.process.started);
        environment
    }

    /// Waits until the function is frozen; answers when it had asked for the next event.
    fn frozen(&mut self) -> Instant {
        let began = Instant::now();
        let polled = loop {
            if let Some(polled) = self.api.idle(Duration::from_secs(1)) {
                break polled;
            }
            assert!(!self.process.ended(), "the function has ended; BENCH_STDERR=1 shows what it said");
            assert!(began.elapsed() < LONGEST_INVOCATION, "the function does not ask for its next event");
        };
        self.process.stopped();
        polled
    }

    /// Sends one event; answers the times from then to the response and to the next poll.
    fn invoke(&mut self, gap: Duration) -> (Duration, Duration) {
        thread::sleep(gap);
        let invocation = Invocation::new(self.invocations.len());
        let handed_out = self.api.hand_out(&invocation);
        self.invocations.push(invocation);
        let polled = self.frozen();
        let answer = self.api.answer();
        self.counted = Counted::of(&answer.body);
        (answer.arrived.duration_since(handed_out), polled.duration_since(handed_out))
    }

    fn arrived(&self) -> Arrivals {
        Arrivals::of(&self.collector.bodies(), &self.daemon.datagrams(), &self.invocations)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    allocations: u64,
    bytes: u64,
}

impl Counted {
    /// The function says in its answer how much it has allocated until then.
    fn of(answer: &[u8]) -> Self {
        let answer: serde_json::Value = serde_json::from_slice(answer).expect("JSON");
        let number = |name: &str| answer[name].as_u64().unwrap_or_else(|| panic!("no {name} in {answer}"));
        Self { allocations: number("allocations"), bytes: number("allocatedBytes") }
    }
}
