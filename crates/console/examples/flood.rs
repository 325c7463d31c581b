//! Sends spans to a console over loopback and prints how many it receives per second and how much memory it needs.
//!
//! `make console-load` runs it with release builds of both.
#![expect(clippy::print_stdout, reason = "a program on the command line prints its result")]

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value as Json;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A request for a feed: the invocation, the handler and eight queries.
const SPANS: usize = 10;
/// The first bytes of the trace ids in the template of a request.
const PLACEHOLDER: [u8; 12] = [0xa5; 12];
/// The time of all traces: 20 November 2026.
const SECONDS: u64 = 0x6b00_0000;
const MILLISECOND: u64 = 1_000_000;

/// Starts a console, sends it traces of ten spans each in OTLP/HTTP with protobuf, and prints the throughput and memory.
#[derive(Debug, clap::Parser)]
struct Options {
    /// The program `lambda-console`
    console: PathBuf,

    /// Spans to send
    #[arg(long, default_value_t = 1_000_000)]
    spans: usize,

    /// Traces in a request
    #[arg(long, default_value_t = 50)]
    traces: usize,

    /// Connections, each of which waits for the response before it sends the next request
    #[arg(long, default_value_t = 4)]
    connections: usize,

    /// The memory limit of the console in MiB
    #[arg(long, default_value_t = 64)]
    max_mib: u32,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut console = Running::start(&options)?;
    let result = flood(&options, &console);
    console.child.kill()?;
    console.child.wait()?;
    result
}

fn flood(options: &Options, console: &Running) -> Result<()> {
    let template = Template::new(options.traces);
    let requests = options.spans.div_ceil(options.traces * SPANS);
    let next = AtomicU64::new(0);
    let before = console.cpu_ticks()?;
    let start = Instant::now();
    thread::scope(|scope| {
        let connections: Vec<_> = (0..options.connections)
            .map(|_| scope.spawn(|| send(console.address, template.clone(), &next, requests as u64)))
            .collect();
        connections
            .into_iter()
            .try_for_each(|connection| connection.join().unwrap_or_else(|_| Err("a sender failed".into())))
    })?;
    let took = start.elapsed().as_secs_f64();
    let cpu = console.cpu_ticks()? - before;
    let info = console.get("/api/info")?;
    let number = |name: &str| info.get(name).and_then(Json::as_u64).ok_or_else(|| format!("no `{name}` in /api/info"));
    let sent = (requests * options.traces * SPANS) as u64;
    let (traces, spans, bytes, evicted) =
        (number("traces")?, number("spans")?, number("bytes")?, number("evicted_traces")?);
    // Whole traces are evicted.
    if spans != traces * SPANS as u64 || (traces + evicted) * SPANS as u64 != sent {
        return Err(
            format!("sent {sent} spans; kept {traces} traces with {spans} spans, evicted {evicted} traces").into()
        );
    }
    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    let per_second = sent as f64 / took;
    println!("spans sent and acknowledged   {sent} in requests of {} spans", options.traces * SPANS);
    println!("bytes of a span in protobuf   {}", template.body.len() / options.traces / SPANS);
    println!("spans received per second     {per_second:.0} with {} connections", options.connections);
    // Linux counts 100 ticks per second.
    println!("CPU time of the console       {:.1} µs per span", cpu as f64 * 10_000.0 / sent as f64);
    println!("spans kept; traces evicted    {spans}; {evicted}");
    println!("bytes of the store            {:.1} MiB of {} MiB", mib(bytes as f64), options.max_mib);
    println!("resident memory, peak         {:.1} MiB", mib(console.status("VmHWM")? as f64 * 1024.0));
    println!("resident memory, at the end   {:.1} MiB", mib(console.status("VmRSS")? as f64 * 1024.0));
    Ok(())
}

/// Sends requests until all are sent.
fn send(address: SocketAddr, mut template: Template, next: &AtomicU64, requests: u64) -> Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        template.body.len()
    );
    let mut answer = [0; 4096];
    loop {
        let request = next.fetch_add(1, Ordering::Relaxed);
        if request >= requests {
            return Ok(());
        }
        template.number(request);
        let message = [head.as_bytes(), &template.body].concat();
        connection.write_all(&message)?;
        // An answer without a body. It arrives whole.
        let length = connection.read(&mut answer)?;
        let answer = answer.get(..length).unwrap_or_default();
        if !answer.starts_with(b"HTTP/1.1 200") || !answer.ends_with(b"\r\n\r\n") {
            return Err(format!("the console answered {}", String::from_utf8_lossy(answer)).into());
        }
    }
}

/// A request whose trace ids are replaced before it is sent, so that the sender needs little time.
#[derive(Clone)]
struct Template {
    body: Vec<u8>,
    /// Where trace ids are, and the number of each trace.
    ids: Vec<(usize, u32)>,
    traces: u64,
}

impl Template {
    fn new(traces: usize) -> Self {
        let spans = (0..traces).flat_map(|trace| trace_spans(trace as u32)).collect();
        let resource = Resource {
            attributes: vec![
                text("service.name", "flood-api"),
                text("cloud.provider", "aws"),
                text("cloud.region", "us-east-1"),
                text("faas.name", "flood-api"),
                text("faas.instance", "2026/11/28/[$LATEST]0123456789abcdef0123456789abcdef"),
                number("faas.max_memory", 512 << 20),
            ],
            ..Resource::default()
        };
        let scope = InstrumentationScope { name: "flood".to_owned(), ..InstrumentationScope::default() };
        let scope_spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
        let resource_spans =
            ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
        let body = ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec();
        let ids = body
            .windows(16)
            .enumerate()
            .filter_map(|(at, window)| {
                let number = window.strip_prefix(&PLACEHOLDER)?;
                Some((at, u32::from_be_bytes(number.try_into().ok()?)))
            })
            .collect();
        Self { body, ids, traces: traces as u64 }
    }

    /// Gives the traces of the n-th request ids of their own, which begin with a time as X-Ray requires.
    fn number(&mut self, request: u64) {
        let first = request * self.traces;
        for (at, trace) in &self.ids {
            let id = (u128::from(SECONDS) << 96) | u128::from(first + u64::from(*trace) + 1);
            if let Some(bytes) = self.body.get_mut(*at..*at + 16) {
                bytes.copy_from_slice(&id.to_be_bytes());
            }
        }
    }
}

fn trace_spans(trace: u32) -> Vec<Span> {
    let trace_id = [&PLACEHOLDER[..], &trace.to_be_bytes()].concat();
    let start = SECONDS * 1_000 * MILLISECOND;
    let span = |id: u64, parent: u64, name: &str, kind: i32, attributes: Vec<KeyValue>| Span {
        trace_id: trace_id.clone(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: name.to_owned(),
        kind,
        start_time_unix_nano: start + id * MILLISECOND,
        end_time_unix_nano: start + (id + 10) * MILLISECOND,
        attributes,
        ..Span::default()
    };
    let root = vec![
        text("http.request.method", "GET"),
        text("http.route", "/api/activities/home"),
        text("url.path", "/api/activities/home"),
        text("url.scheme", "https"),
        number("http.response.status_code", 200),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"),
        text("faas.trigger", "http"),
        text("faas.invocation_id", "8f507cfc-xmpl-4697-b07a-ac58fc914c95"),
        text("app.user", "andrewbrown"),
    ];
    let query = |shard: i64| {
        vec![
            text("rpc.system.name", "aws-api"),
            text("rpc.method", "DynamoDB/Query"),
            text("db.system.name", "aws.dynamodb"),
            text("db.operation.name", "Query"),
            text("db.collection.name", "posts"),
            text("aws.request_id", "Q5R2KJ0MFSJ8N3TRKV4T5U3DJVVV4KQNSO5AEMVJF66Q9ASUAAJG"),
            pair("aws.dynamodb.consumed_capacity_units", AnyKind::DoubleValue(0.5)),
            number("aws.dynamodb.count", 20),
            number("http.response.status_code", 200),
            number("app.shard", shard),
        ]
    };
    let mut spans = vec![
        span(1, 0, "GET /api/activities/home", 2, root),
        span(2, 1, "home_feed", 1, vec![number("app.result_length", 20)]),
    ];
    spans.extend((0..8).map(|shard| span(3 + shard, 2, "DynamoDB.Query", 3, query(shard.cast_signed()))));
    spans
}

fn pair(key: &str, value: AnyKind) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, AnyKind::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    pair(key, AnyKind::IntValue(value))
}

/// A console in a separate process.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(options: &Options) -> Result<Self> {
        let mut child = Command::new(&options.console)
            .args(["--port", "0", "--xray-port", "0", "--max-mib", &options.max_mib.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("the console has no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = lines.find_map(|line| line.ok()?.split_once("http://")?.1.strip_suffix('/')?.parse().ok());
        // The pipe stays open, because a console that cannot write would still run.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address: address.ok_or("the console printed no address")? })
    }

    fn get(&self, path: &str) -> Result<Json> {
        let mut connection = TcpStream::connect(self.address)?;
        write!(connection, "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address)?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        Ok(serde_json::from_str(body)?)
    }

    /// Returns a size in KiB.
    fn status(&self, name: &str) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no such size in /proc")?.parse()?)
    }

    /// Returns the CPU time of the process in user and kernel mode.
    fn cpu_ticks(&self) -> Result<u64> {
        let stat = self.proc("stat")?;
        // The name in parentheses may contain spaces.
        let (_, fields) = stat.rsplit_once(") ").ok_or("no CPU time in /proc")?;
        fields.split(' ').skip(11).take(2).map(|ticks| Ok(ticks.parse::<u64>()?)).sum()
    }

    fn proc(&self, file: &str) -> io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
    }
}
