//! Runs one process of a subject from start to end.

use std::thread;
use std::time::{Duration, Instant};

use crate::arrivals::Arrivals;
use crate::binaries::Binaries;
use crate::collector::{Behavior, Collector};
use crate::daemon::Daemon;
use crate::process::Process;
use crate::runtime_api::{Invocation, RuntimeApi};
use crate::tls::TLS;
use crate::variant::Variant;

/// The time between SIGTERM and SIGKILL if an extension is registered.
const SHUTDOWN: Duration = Duration::from_millis(500);
/// The time after a freeze until datagrams and bodies in transit have arrived.
const TRANSIT: Duration = Duration::from_millis(60);
const LONGEST_INVOCATION: Duration = Duration::from_secs(60);

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The number of invocations before the measurement.
    pub(crate) warm_up: usize,
    pub(crate) invocations: usize,
    /// No invocation starts after this time.
    pub(crate) limit: Duration,
    pub(crate) gap: Duration,
    pub(crate) collector: Behavior,
    pub(crate) over_tls: bool,
    pub(crate) daemon_listens: bool,
    pub(crate) count_allocations: bool,
}

impl Plan {
    /// Neither faults nor pauses, and a collector that responds immediately. It contains no invocation.
    pub(crate) const PLAIN: Self = Self {
        warm_up: 0,
        invocations: 0,
        limit: Duration::MAX,
        gap: Duration::ZERO,
        collector: Behavior::Responds(Duration::ZERO),
        over_tls: false,
        daemon_listens: true,
        count_allocations: false,
    };
}

/// The results of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// From process start to the first poll.
    pub(crate) init: Duration,
    /// From the event to the response.
    pub(crate) response: Vec<Duration>,
    /// From the event to the next poll.
    pub(crate) next_poll: Vec<Duration>,
    /// Per invocation.
    pub(crate) cpu: Duration,
    /// Per invocation; 0 if not counted.
    pub(crate) allocations: f64,
    pub(crate) allocated_bytes: f64,
    /// In MiB.
    pub(crate) peak_memory: f64,
    /// The spans that had arrived after the last freeze.
    pub(crate) at_last_freeze: Arrivals,
    /// The spans that had arrived after the end, by SIGTERM if an extension is registered, else by SIGKILL.
    pub(crate) at_end: Arrivals,
}

/// Starts the subject, kills it at its first poll, and returns the time between.
pub(crate) fn init(variant: &Variant, binaries: &Binaries, plan: &Plan) -> Duration {
    Environment::start(variant, binaries, plan).init
}

/// Runs the subject until its orderly end, at which callgrind writes its counts.
pub(crate) fn to_the_end(variant: &Variant, binaries: &Binaries, plan: &Plan) {
    let mut environment = Environment::start(variant, binaries, plan);
    for _ in 0..plan.invocations {
        environment.invoke(plan.gap);
    }
    environment.process.terminate(LONGEST_INVOCATION);
}

pub(crate) fn run(variant: &Variant, binaries: &Binaries, plan: &Plan) -> Run {
    let mut environment = Environment::start(variant, binaries, plan);
    for _ in 0..plan.warm_up {
        environment.invoke(plan.gap);
    }
    let cpu_before = environment.process.cpu();
    let allocated_before = environment.allocated;
    let began = Instant::now();
    let (mut response, mut next_poll) = (Vec::new(), Vec::new());
    while response.len() < plan.invocations && began.elapsed() < plan.limit {
        let (responded, polled) = environment.invoke(plan.gap);
        response.push(responded);
        next_poll.push(polled);
    }
    let cpu = environment.process.cpu() - cpu_before;
    let peak_memory = environment.process.peak_memory();
    thread::sleep(TRANSIT);
    let at_last_freeze = environment.arrivals();
    // A profiler writes its data when the process exits, which takes time.
    let profiled = std::env::var_os("BENCH_PROFILED").is_some();
    if environment.api.has_extensions() || profiled {
        environment.process.terminate(if profiled { LONGEST_INVOCATION } else { SHUTDOWN });
        thread::sleep(TRANSIT);
    }
    let at_end = environment.arrivals();
    let measured = response.len();
    let per_invocation = |now: u64, before: u64| (now - before) as f64 / measured as f64;
    Run {
        init: environment.init,
        cpu: cpu / u32::try_from(measured).expect("not so many"),
        allocations: per_invocation(environment.allocated.allocations, allocated_before.allocations),
        allocated_bytes: per_invocation(environment.allocated.bytes, allocated_before.bytes),
        response,
        next_poll,
        peak_memory,
        at_last_freeze,
        at_end,
    }
}

/// A process with its emulated APIs and destinations.
struct Environment {
    // Fields are dropped in this order: the process first.
    process: Process,
    api: RuntimeApi,
    collector: Collector,
    daemon: Daemon,
    init: Duration,
    invocations: Vec<Invocation>,
    allocated: Allocated,
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
        let process = Process::start(binaries.command(variant.package), &variables);
        api.set_process(process.pid());
        let mut environment = Self {
            process,
            api,
            collector,
            daemon,
            init: Duration::ZERO,
            invocations: Vec::new(),
            allocated: Allocated::default(),
        };
        environment.init = environment.wait_until_frozen().duration_since(environment.process.started);
        environment
    }

    /// Waits until the function is frozen, and returns the time of its poll.
    fn wait_until_frozen(&mut self) -> Instant {
        let began = Instant::now();
        let polled = loop {
            if let Some(polled) = self.api.idle(Duration::from_secs(1)) {
                break polled;
            }
            assert!(!self.process.has_exited(), "the function has exited; BENCH_STDERR=1 shows its output");
            assert!(began.elapsed() < LONGEST_INVOCATION, "the function does not poll for its next event");
        };
        self.process.wait_until_stopped();
        polled
    }

    /// Sends one event, and returns the times until the response and until the next poll.
    fn invoke(&mut self, gap: Duration) -> (Duration, Duration) {
        thread::sleep(gap);
        let invocation = Invocation::new(self.invocations.len());
        let sent = self.api.send_event(&invocation);
        self.invocations.push(invocation);
        let polled = self.wait_until_frozen();
        let response = self.api.response();
        self.allocated = Allocated::parse(&response.body);
        (response.arrived.duration_since(sent), polled.duration_since(sent))
    }

    fn arrivals(&self) -> Arrivals {
        Arrivals::decode(&self.collector.bodies(), &self.daemon.datagrams(), &self.invocations)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Allocated {
    allocations: u64,
    bytes: u64,
}

impl Allocated {
    /// Reads the allocations so far from a subject's response.
    fn parse(body: &[u8]) -> Self {
        let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        let number = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("{name} is missing in {body}"));
        Self { allocations: number("allocations"), bytes: number("allocatedBytes") }
    }
}
