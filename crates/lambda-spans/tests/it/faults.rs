//! Faults of the destinations, one row for each.
//!
//! For every fault: the caller gets the same bytes before any export; the function polls for the next event within the
//! budget; the ledger accounts for every span; the other destination is not affected; the fault is logged once.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use lambda_harness::{
    AfterResponse, Event, InvocationResult, Lambda, OtlpReceiver, OtlpResponse, RawResponse, XrayDaemon,
};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::{PARENT, ROOT, built};

const HTTP: &str = include_str!("../data/apigw_http.json");
/// The response that the runtime posts without a fault.
const RESPONSE: &str = r#"{"statusCode":200,"headers":{"content-type":"text/plain; charset=utf-8","content-length":"7"},"multiValueHeaders":{},"body":"an item","isBase64Encoded":false,"cookies":[]}"#;

/// Each invocation creates one span; the first also has the init phase.
const INVOCATIONS: usize = 3;
const SPANS: u64 = 4;

/// Budgets in milliseconds: `LONG` suffices for a responsive receiver on a busy machine, `SHORT` keeps a silent one
/// from slowing down the tests.
const LONG: u64 = 4_000;
const SHORT: u64 = 100;
/// Allows for a busy machine. Every protocol or client timeout that could apply instead of the budget is longer.
const MARGIN: Duration = Duration::from_secs(5);

/// The server at the OTLP endpoint.
enum Otlp {
    /// Gives this reply to each request.
    Says(OtlpResponse),
    /// Reads requests and never responds.
    Hangs,
    /// Never accepts connections.
    Unaccepted,
    /// Has no listener.
    Closed,
    /// Violates HTTP.
    Raw(RawResponse),
    /// Speaks plain HTTP at an `https` endpoint.
    NoTls,
    /// Never continues the TLS handshake.
    TlsHangs,
    /// Has a name that does not resolve.
    NoSuchHost,
}

/// The X-Ray daemon.
#[derive(Clone, Copy)]
enum Xray {
    Well,
    /// Has no listener.
    Closed,
    /// Has a socket that is never read.
    Unread,
    /// Has a name that does not resolve.
    NoSuchHost,
}

struct Row {
    fault: &'static str,
    otlp: Otlp,
    xray: Xray,
    /// In milliseconds.
    budget: u64,
    /// Exported, sampled out, carried, refused, overflowed, unsent.
    otlp_ledger: [u64; 6],
    xray_ledger: [u64; 6],
    /// The number of requests. The upper bound allows for retries after the breaker's pause.
    requests: RangeInclusive<usize>,
    /// The number of spans that the receiver accepted.
    arrived: usize,
    /// The number of log lines about OTLP and about X-Ray.
    logged: (usize, usize),
}

const EXPORTED: [u64; 6] = [SPANS, 0, 0, 0, 0, 0];
const CARRIED: [u64; 6] = [0, 0, SPANS, 0, 0, 0];
const REFUSED: [u64; 6] = [0, 0, 0, SPANS, 0, 0];
const UNSENT: [u64; 6] = [0, 0, 0, 0, 0, SPANS];

/// A fault of OTLP alone.
fn otlp(fault: &'static str, otlp: Otlp, budget: u64, otlp_ledger: [u64; 6], requests: RangeInclusive<usize>) -> Row {
    let arrived = usize::try_from(otlp_ledger[0]).unwrap();
    let logged = (usize::from(otlp_ledger != EXPORTED), 0);
    Row { fault, otlp, xray: Xray::Well, budget, otlp_ledger, xray_ledger: EXPORTED, requests, arrived, logged }
}

/// A fault of X-Ray alone.
fn xray(fault: &'static str, xray: Xray, xray_ledger: [u64; 6], logged: usize) -> Row {
    let otlp = Otlp::Says(OtlpResponse::status(200));
    let (otlp_ledger, arrived, logged) = (EXPORTED, 4, (0, logged));
    Row { fault, otlp, xray, budget: LONG, otlp_ledger, xray_ledger, requests: 3..=3, arrived, logged }
}

fn status(status: u16) -> Otlp {
    Otlp::Says(OtlpResponse::status(status))
}

fn retry_after(status: u16, seconds: u64) -> Otlp {
    Otlp::Says(OtlpResponse { retry_after: Some(seconds), ..OtlpResponse::status(status) })
}

fn raw(reads: bool, says: &str, then: AfterResponse) -> Otlp {
    Otlp::Raw(RawResponse { reads_request: reads, bytes: says.as_bytes().to_vec(), then })
}

/// A 200 whose body has this encoding and this beginning.
fn bomb(encoding: &str, begin: &[u8]) -> Otlp {
    let head = format!("HTTP/1.1 200 OK\r\n{encoding}content-length: 1099511627776\r\n\r\n");
    Otlp::Raw(RawResponse {
        reads_request: true,
        bytes: [head.as_bytes(), begin].concat(),
        then: AfterResponse::SendZeros,
    })
}

#[rustfmt::skip]
fn matrix() -> Vec<Row> {
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const ENDLESS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-le";
    const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    vec![
        otlp("200", status(200), LONG, EXPORTED, 3..=3),
        // The request is invalid: no retry.
        otlp("400", status(400), LONG, REFUSED, 3..=3),
        otlp("401, with a key from the environment", status(401), LONG, REFUSED, 3..=3),
        otlp("413", status(413), LONG, REFUSED, 3..=3),
        otlp("500", status(500), LONG, REFUSED, 3..=3),
        Row { arrived: 4, ..otlp("200 that rejects a span of each", Otlp::Says(OtlpResponse { rejected: 1, ..OtlpResponse::status(200) }),
            LONG, [1, 0, 0, 3, 0, 0], 3..=3) }.silent(),
        // The receiver is busy: three retries, then the breaker's pause.
        otlp("429", status(429), LONG, CARRIED, 4..=6),
        otlp("503", status(503), LONG, CARRIED, 4..=6),
        otlp("429 with Retry-After: 0", retry_after(429, 0), LONG, CARRIED, 4..=6),
        otlp("503 with Retry-After: 0", retry_after(503, 0), LONG, CARRIED, 4..=6),
        otlp("429 with Retry-After: 2", retry_after(429, 2), 500, CARRIED, 1..=3),
        otlp("503 with Retry-After: 2", retry_after(503, 2), 500, CARRIED, 1..=3),
        otlp("429 with Retry-After: 20", retry_after(429, 20), LONG, CARRIED, 1..=1),
        otlp("503 with Retry-After: 20", retry_after(503, 20), LONG, CARRIED, 1..=1),
        // There is no response: the breaker's pause at once.
        otlp("a closed port", Otlp::Closed, LONG, CARRIED, 0..=0),
        otlp("no answer", Otlp::Hangs, SHORT, CARRIED, 1..=3).taken(),
        otlp("a slow start", Otlp::Unaccepted, SHORT, CARRIED, 0..=0),
        otlp("a connection that is closed at once", raw(false, "", AfterResponse::Close), LONG, CARRIED, 0..=0),
        otlp("a connection that is closed after the request", raw(true, "", AfterResponse::Close), LONG, CARRIED, 2..=6),
        otlp("an answer that breaks off in its head", raw(true, CUT, AfterResponse::Close), LONG, CARRIED, 2..=6).taken(),
        otlp("garbage", raw(true, "\0\r\n\r\ngarbage\r\n\r\n", AfterResponse::KeepOpen), LONG, CARRIED, 2..=6),
        otlp("no TLS where TLS is expected", Otlp::NoTls, LONG, CARRIED, 0..=0),
        otlp("a TLS handshake that never ends", Otlp::TlsHangs, SHORT, CARRIED, 0..=0),
        otlp("a name that does not resolve", Otlp::NoSuchHost, SHORT, CARRIED, 0..=0),
        // The status alone decides; the body does not matter.
        otlp("100 before the answer", raw(true, CONTINUE, AfterResponse::KeepOpen), LONG, EXPORTED, 3..=3),
        otlp("an answer that is larger than any answer", bomb("", b""), LONG, EXPORTED, 3..=3),
        otlp("a gzip bomb", bomb("content-encoding: gzip\r\n", GZIP), LONG, EXPORTED, 3..=3),
        otlp("200 whose body breaks off", raw(true, ENDLESS, AfterResponse::Close), LONG, EXPORTED, 3..=3),
        otlp("200 whose body never comes", raw(true, ENDLESS, AfterResponse::KeepOpen), SHORT, [2, 0, 2, 0, 0, 0], 1..=3),
        otlp("503 whose body never comes", raw(true, BUSY, AfterResponse::KeepOpen), SHORT, CARRIED, 1..=3),
        // UDP reports no reader: documents count as exported once the socket accepts them.
        xray("X-Ray: a closed port", Xray::Closed, EXPORTED, 1),
        xray("X-Ray: a socket that is never read", Xray::Unread, EXPORTED, 0),
        xray("X-Ray: a name that does not resolve", Xray::NoSuchHost, UNSENT, 1),
        Row { xray: Xray::NoSuchHost, xray_ledger: UNSENT, logged: (1, 1),
            ..otlp("both: names that do not resolve", Otlp::NoSuchHost, SHORT, CARRIED, 0..=0) },
        Row { xray: Xray::Closed, logged: (1, 1), ..otlp("both: closed ports", Otlp::Closed, LONG, CARRIED, 0..=0) },
        Row { xray: Xray::Unread, ..otlp("both: silence", Otlp::Hangs, SHORT, CARRIED, 1..=3) }.taken(),
    ]
}

impl Row {
    /// Nothing is logged: a partial success is not a receiver failure.
    fn silent(mut self) -> Self {
        self.logged.0 = 0;
        self
    }

    /// The receiver accepts the spans without confirming them.
    fn taken(mut self) -> Self {
        self.arrived = usize::MAX;
        self
    }
}

struct Stage {
    lambda: Lambda,
    otlp: OtlpReceiver,
    xray: XrayDaemon,
    /// Whether Lambda samples the invocations for X-Ray.
    sampled: u8,
    /// Ports that are reserved so that no other process listens on them.
    _closed: (TcpSocket, UdpSocket),
}

impl Stage {
    async fn new(otlp: &Otlp, xray: Xray, more: &[(&'static str, String)]) -> Self {
        let port = TcpSocket::new_v4().unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let unread = UdpSocket::bind("127.0.0.1:0").unwrap();
        if matches!(xray, Xray::Closed) {
            // A connected socket accepts datagrams from its peer only.
            unread.connect("127.0.0.1:9").unwrap();
        }
        let daemon = XrayDaemon::start().await;
        let receiver = match otlp {
            Otlp::Raw(raw) => OtlpReceiver::start_raw(raw.clone()).await,
            Otlp::Unaccepted | Otlp::TlsHangs => OtlpReceiver::bind().await,
            Otlp::Says(_) | Otlp::Hangs | Otlp::Closed | Otlp::NoTls | Otlp::NoSuchHost => OtlpReceiver::start().await,
        };
        if let Otlp::Says(reply) = otlp {
            receiver.respond_with(vec![reply.clone(); 100]);
        }
        receiver.set_responding(!matches!(otlp, Otlp::Hangs));
        let endpoint = match otlp {
            Otlp::Says(_) | Otlp::Hangs | Otlp::Unaccepted | Otlp::Raw(_) => receiver.endpoint(),
            Otlp::Closed => format!("http://{}", port.local_addr().unwrap()),
            Otlp::NoTls | Otlp::TlsHangs => receiver.endpoint().replace("http:", "https:"),
            Otlp::NoSuchHost => "http://no-such-host.invalid".to_owned(),
        };
        let address = match xray {
            Xray::Well => daemon.address(),
            Xray::Closed | Xray::Unread => unread.local_addr().unwrap().to_string(),
            Xray::NoSuchHost => "no-such-host.invalid:2000".to_owned(),
        };
        let mut environment = vec![
            ("HANDLER", "http".to_owned()),
            ("AWS_XRAY_DAEMON_ADDRESS", address),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("LAMBDA_SPANS_FLUSH", "end".to_owned()),
        ];
        environment.extend_from_slice(more);
        let lambda = Lambda::start(built("test-function"), &environment).await;
        Self { lambda, otlp: receiver, xray: daemon, sampled: 1, _closed: (port, unread) }
    }

    async fn get(&self, path: &str) -> InvocationResult {
        self.lambda
            .invoke(Event {
                payload: HTTP.replace("/items/42", path),
                trace_header: format!("Root={ROOT};Parent={PARENT};Sampled={}", self.sampled),
                timeout: Duration::from_secs(60),
            })
            .await
    }

    async fn ledger(&self) -> Value {
        let answer: Value = serde_json::from_str(&self.get("/ledger").await.body).unwrap();
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn destination_faults_stay_isolated() {
    let mut wrong = Vec::new();
    for row in matrix() {
        let fault = row.fault;
        // A separate task for each row, so that one failure does not hide others.
        if tokio::spawn(hold(row)).await.is_err() {
            wrong.push(fault);
        }
    }
    assert_eq!(wrong, Vec::<&str>::new());
}

async fn hold(row: Row) {
    let fault = row.fault;
    let budget = [("LAMBDA_SPANS_BUDGET_MS", row.budget.to_string())];
    let mut stage = Stage::new(&row.otlp, row.xray, &budget).await;
    for _ in 0..INVOCATIONS {
        let known = stage.otlp.collected().arrivals.len();
        let answer = stage.get("/items/42").await;
        assert!(answer.success, "{fault}");
        assert_eq!(answer.body, RESPONSE, "{fault}");
        stage.lambda.wait_until_frozen().await;
        let until_poll = Instant::now() - answer.received_at;
        assert!(until_poll < Duration::from_millis(row.budget) + MARGIN, "{fault}: {until_poll:?}");
        let arrivals = stage.otlp.collected().arrivals.split_off(known);
        assert!(arrivals.iter().all(|arrival| *arrival >= answer.received_at), "{fault}: exported before the response");
    }
    let collected = stage.otlp.collected();
    assert!(row.requests.contains(&collected.arrivals.len()), "{fault}: {} requests", collected.arrivals.len());
    if row.arrived != usize::MAX {
        assert_eq!(collected.spans.len(), row.arrived, "{fault}");
    }
    let documents = if let Xray::Well = row.xray { 4 } else { 0 };
    assert_eq!(stage.xray.take().await.len(), documents, "{fault}");

    let mut ledger = stage.ledger().await;
    ledger.as_object_mut().unwrap().remove("resident");
    // The span of this invocation is created but not ended.
    let expected = json!({ "created": SPANS + 1, "otlp": row.otlp_ledger, "xray": row.xray_ledger });
    assert_eq!(ledger, expected, "{fault}");
    stage.lambda.wait_until_frozen().await;
    let log = stage.lambda.kill().await;
    let lines = |text| log.matches(text).count();
    let logged = (lines("spans could not be exported by OTLP"), lines("spans cannot be sent to the X-Ray daemon"));
    assert_eq!(logged, row.logged, "{fault}: {log}");
}

/// When spans are exported depends on timing here; that the ledger balances does not.
#[tokio::test]
async fn destination_faults_stay_isolated_under_load() {
    let modes = [("LAMBDA_SPANS_FLUSH", "adaptive"), ("AWS_LAMBDA_MAX_CONCURRENCY", "2")];
    let mut wrong = Vec::new();
    for (variable, value) in modes {
        for row in matrix() {
            let fault = row.fault;
            if tokio::spawn(balance(row, (variable, value.to_owned()))).await.is_err() {
                wrong.push((variable, fault));
            }
        }
    }
    assert_eq!(wrong, []);
}

async fn balance(row: Row, mode: (&'static str, String)) {
    let fault = row.fault;
    let environment = [("LAMBDA_SPANS_BUDGET_MS", SHORT.to_string()), mode];
    let mut stage = Stage::new(&row.otlp, row.xray, &environment).await;
    let start = Instant::now();
    for _ in 0..INVOCATIONS {
        assert_eq!(stage.get("/items/42").await.body, RESPONSE, "{fault}");
    }
    stage.lambda.wait_until_frozen().await;
    let took = start.elapsed();
    assert!(took < 3 * Duration::from_millis(SHORT) + MARGIN, "{fault}: {took:?}");
    let ledger = stage.ledger().await;
    assert_eq!(ledger["created"], SPANS + 1, "{fault}");
    for destination in ["otlp", "xray"] {
        let counts: Vec<u64> = serde_json::from_value(ledger[destination].clone()).unwrap();
        assert_eq!(counts.iter().sum::<u64>(), SPANS, "{fault}: {ledger}");
    }
    stage.lambda.wait_until_frozen().await;
    let (status, log) = stage.lambda.terminate().await;
    assert!(status.success(), "{fault}: {status}: {log}");
    if let Xray::Well = row.xray {
        assert_eq!(stage.xray.take().await.len(), 5, "{fault}");
    }
    let complaints = log.matches("spans could not be exported by OTLP").count();
    assert!(complaints <= 1, "{fault}: {log}");
}

/// With the default budget, that is less than 5 ms for each of them.
#[tokio::test]
async fn silent_receiver_delays_one_of_200_invocations() {
    let mut stage = Stage::new(&Otlp::Hangs, Xray::Well, &[]).await;
    let mut delayed = 0;
    for _ in 0..200 {
        let answer = stage.get("/items/42").await;
        stage.lambda.wait_until_frozen().await;
        delayed += usize::from(answer.received_at.elapsed() > Duration::from_millis(400));
    }
    stage.lambda.kill().await;
    assert_eq!(delayed, 1);
}

#[tokio::test]
async fn late_receiver_gets_every_span() {
    let budget = [("LAMBDA_SPANS_BUDGET_MS", SHORT.to_string()), ("LAMBDA_SPANS_FLUSH", "adaptive".to_owned())];
    let mut stage = Stage::new(&Otlp::Unaccepted, Xray::Well, &budget).await;
    for _ in 0..INVOCATIONS {
        stage.get("/items/42").await;
    }
    stage.lambda.wait_until_frozen().await;
    stage.otlp.open();
    let (status, log) = stage.lambda.terminate().await;
    assert!(status.success(), "{log}");
    // The first request timed out, but its bytes may have arrived.
    let spans = stage.otlp.collected().spans;
    assert_eq!(spans.into_iter().map(|(_, span)| span.span_id).collect::<BTreeSet<_>>().len(), 4);
}

#[tokio::test]
async fn unreachable_receiver_backlog_holds_8000_spans() {
    let mut stage = Stage::new(&Otlp::Closed, Xray::Well, &[]).await;
    stage.sampled = 0;
    for _ in 0..200 {
        stage.get("/spans/40/1").await;
    }
    stage.lambda.wait_until_frozen().await;
    let ledger = stage.ledger().await;
    assert_eq!(ledger["otlp"], json!([0, 0, 8_201, 0, 0, 0]));
    assert_eq!(ledger["created"], 8_202);
    stage.lambda.kill().await;
}

#[tokio::test]
async fn unreachable_receiver_backlog_is_bounded_in_bytes() {
    let plain = [("OTEL_EXPORTER_OTLP_COMPRESSION", "none".to_owned())];
    let mut stage = Stage::new(&Otlp::Closed, Xray::Well, &plain).await;
    stage.sampled = 0;
    let mut resident = Vec::new();
    for invocation in 1..=200 {
        // With its overhead, an invocation of 64 KiB fits 60 times into 4 MiB, not 61 times.
        stage.get("/spans/16/4096").await;
        if [70, 200].contains(&invocation) {
            let ledger = stage.ledger().await;
            assert_eq!(ledger["otlp"][2], 60 * 17, "{ledger}");
            resident.push(ledger["resident"].as_u64().unwrap());
        }
    }
    stage.lambda.wait_until_frozen().await;
    stage.lambda.kill().await;
    let [before, after] = resident[..] else { panic!("{resident:?}") };
    // Without a bound it would grow by 8,900 KiB.
    assert!(after < before + 4_096, "{before} KiB, then {after} KiB");
}

#[tokio::test]
async fn oversized_batches_are_split_without_loss() {
    let long = ("LAMBDA_SPANS_BUDGET_MS", LONG.to_string());
    for (spans, compression, requests) in [("/spans/300/8192", "none", 3), ("/spans/6000/100", "gzip", 2)] {
        let environment = [long.clone(), ("OTEL_EXPORTER_OTLP_COMPRESSION", compression.to_owned())];
        let mut stage = Stage::new(&Otlp::Says(OtlpResponse::status(200)), Xray::Well, &environment).await;
        stage.sampled = 0;
        stage.get(spans).await;
        stage.lambda.wait_until_frozen().await;
        let collected = stage.otlp.collected();
        let ledger = stage.ledger().await;
        stage.lambda.kill().await;
        assert_eq!(ledger["otlp"], json!([ledger["created"].as_u64().unwrap() - 1, 0, 0, 0, 0, 0]), "{spans}");
        assert_eq!(collected.requests.len(), requests, "{spans}");
        let length = |headers: &HeaderMap| headers["content-length"].to_str().unwrap().parse::<usize>().unwrap();
        // One MiB, and the error of its estimate.
        assert!(collected.requests.iter().all(|headers| length(headers) < 1_200_000), "{spans}");
    }
}
