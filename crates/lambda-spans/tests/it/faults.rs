//! Faults of the destinations, a row for each.
//!
//! Whatever the fault is: the caller gets the same bytes, and gets them before anything is exported; the next event is
//! asked for within the budget; what became of every span is known; one destination's fault is not the other's; a fault
//! is logged once.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use lambda_harness::{Answer, Event, Lambda, OtlpReceiver, Raw, Reply, Then, XrayDaemon};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::{PARENT, ROOT, built};

const HTTP: &str = include_str!("../data/apigw_http.json");
/// What the runtime posts for it where nothing is at fault.
const RESPONSE: &str = r#"{"statusCode":200,"headers":{"content-type":"text/plain; charset=utf-8","content-length":"7"},"multiValueHeaders":{},"body":"an item","isBase64Encoded":false,"cookies":[]}"#;

/// Each invocation makes one span; the init phase is one of the first invocation's.
const INVOCATIONS: usize = 3;
const SPANS: u64 = 4;

/// Budgets: so long that a receiver that answers is in time however busy the machine is; so short that one that does not
/// costs no time.
const LONG: u64 = 4_000;
const SHORT: u64 = 100;
/// For a machine that is busy with something else. Any limit of a protocol or a client that would be met in place of
/// the budget is longer.
const MARGIN: Duration = Duration::from_secs(5);

/// What stands where OTLP's spans go.
enum Otlp {
    /// A receiver that answers each request so.
    Says(Reply),
    /// A receiver that reads requests and says nothing.
    Hangs,
    /// Connections are made and never accepted.
    Unaccepted,
    /// A port without a listener.
    Closed,
    /// What no server would do.
    Raw(Raw),
    /// A receiver without TLS, asked for with it.
    NoTls,
    /// One that takes the beginning of a TLS handshake and says nothing.
    TlsHangs,
    /// A name that does not resolve.
    NoSuchHost,
}

/// What stands where X-Ray's documents go.
#[derive(Clone, Copy)]
enum Xray {
    Well,
    /// A port that nobody listens on.
    Closed,
    /// A socket that is never read.
    Unread,
    /// A name that does not resolve.
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
    /// How many requests come: more than at least, where the pause after a failure is over before the test is.
    requests: RangeInclusive<usize>,
    /// How many spans the receiver took.
    arrived: usize,
    /// Log lines about OTLP, about X-Ray.
    logged: (usize, usize),
}

const EXPORTED: [u64; 6] = [SPANS, 0, 0, 0, 0, 0];
const CARRIED: [u64; 6] = [0, 0, SPANS, 0, 0, 0];
const REFUSED: [u64; 6] = [0, 0, 0, SPANS, 0, 0];
const UNSENT: [u64; 6] = [0, 0, 0, 0, 0, SPANS];

/// A fault of OTLP alone, which the receiver can be asked about.
fn otlp(fault: &'static str, otlp: Otlp, budget: u64, otlp_ledger: [u64; 6], requests: RangeInclusive<usize>) -> Row {
    let arrived = usize::try_from(otlp_ledger[0]).unwrap();
    let logged = (usize::from(otlp_ledger != EXPORTED), 0);
    Row { fault, otlp, xray: Xray::Well, budget, otlp_ledger, xray_ledger: EXPORTED, requests, arrived, logged }
}

/// A fault of X-Ray alone.
fn xray(fault: &'static str, xray: Xray, xray_ledger: [u64; 6], logged: usize) -> Row {
    let otlp = Otlp::Says(Reply::status(200));
    let (otlp_ledger, arrived, logged) = (EXPORTED, 4, (0, logged));
    Row { fault, otlp, xray, budget: LONG, otlp_ledger, xray_ledger, requests: 3..=3, arrived, logged }
}

fn status(status: u16) -> Otlp {
    Otlp::Says(Reply::status(status))
}

fn retry_after(status: u16, seconds: u64) -> Otlp {
    Otlp::Says(Reply { retry_after: Some(seconds), ..Reply::status(status) })
}

fn raw(reads: bool, says: &str, then: Then) -> Otlp {
    Otlp::Raw(Raw { reads, says: says.as_bytes().to_vec(), then })
}

/// 200 with a body of this encoding that begins as given.
fn bomb(encoding: &str, begin: &[u8]) -> Otlp {
    let head = format!("HTTP/1.1 200 OK\r\n{encoding}content-length: 1099511627776\r\n\r\n");
    Otlp::Raw(Raw { reads: true, says: [head.as_bytes(), begin].concat(), then: Then::GoesOn })
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
        // The request is at fault: no second attempt.
        otlp("400", status(400), LONG, REFUSED, 3..=3),
        otlp("401, with a key from the environment", status(401), LONG, REFUSED, 3..=3),
        otlp("413", status(413), LONG, REFUSED, 3..=3),
        otlp("500", status(500), LONG, REFUSED, 3..=3),
        Row { arrived: 4, ..otlp("200 that rejects a span of each", Otlp::Says(Reply { rejected: 1, ..Reply::status(200) }),
            LONG, [1, 0, 0, 3, 0, 0], 3..=3) }.silent(),
        // The receiver is busy: three more attempts, then a pause.
        otlp("429", status(429), LONG, CARRIED, 4..=6),
        otlp("503", status(503), LONG, CARRIED, 4..=6),
        otlp("429 with Retry-After: 0", retry_after(429, 0), LONG, CARRIED, 4..=6),
        otlp("503 with Retry-After: 0", retry_after(503, 0), LONG, CARRIED, 4..=6),
        otlp("429 with Retry-After: 2", retry_after(429, 2), 500, CARRIED, 1..=3),
        otlp("503 with Retry-After: 2", retry_after(503, 2), 500, CARRIED, 1..=3),
        otlp("429 with Retry-After: 20", retry_after(429, 20), LONG, CARRIED, 1..=1),
        otlp("503 with Retry-After: 20", retry_after(503, 20), LONG, CARRIED, 1..=1),
        // There is no answer: a pause at once.
        otlp("a closed port", Otlp::Closed, LONG, CARRIED, 0..=0),
        otlp("no answer", Otlp::Hangs, SHORT, CARRIED, 1..=3).taken(),
        otlp("a slow start", Otlp::Unaccepted, SHORT, CARRIED, 0..=0),
        otlp("a connection that is closed at once", raw(false, "", Then::Closes), LONG, CARRIED, 0..=0),
        otlp("a connection that is closed after the request", raw(true, "", Then::Closes), LONG, CARRIED, 2..=6),
        otlp("an answer that breaks off in its head", raw(true, CUT, Then::Closes), LONG, CARRIED, 2..=6).taken(),
        otlp("garbage", raw(true, "\0\r\n\r\ngarbage\r\n\r\n", Then::Waits), LONG, CARRIED, 2..=6),
        otlp("no TLS where TLS is expected", Otlp::NoTls, LONG, CARRIED, 0..=0),
        otlp("a TLS handshake that never ends", Otlp::TlsHangs, SHORT, CARRIED, 0..=0),
        otlp("a name that does not resolve", Otlp::NoSuchHost, SHORT, CARRIED, 0..=0),
        // The status is an answer, whatever its body is.
        otlp("100 before the answer", raw(true, CONTINUE, Then::Waits), LONG, EXPORTED, 3..=3),
        otlp("an answer that is larger than any answer", bomb("", b""), LONG, EXPORTED, 3..=3),
        otlp("a gzip bomb", bomb("content-encoding: gzip\r\n", GZIP), LONG, EXPORTED, 3..=3),
        otlp("200 whose body breaks off", raw(true, ENDLESS, Then::Closes), LONG, EXPORTED, 3..=3),
        otlp("200 whose body never comes", raw(true, ENDLESS, Then::Waits), SHORT, [2, 0, 2, 0, 0, 0], 1..=3),
        otlp("503 whose body never comes", raw(true, BUSY, Then::Waits), SHORT, CARRIED, 1..=3),
        // UDP does not tell whether anybody reads: what the socket took is exported.
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
    /// A rejection within a success is no failure of the receiver's.
    fn silent(mut self) -> Self {
        self.logged.0 = 0;
        self
    }

    /// The receiver has taken the spans, but does not say so.
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
    /// Ports that are kept from being anybody's.
    _closed: (TcpSocket, UdpSocket),
}

impl Stage {
    async fn new(otlp: &Otlp, xray: Xray, more: &[(&'static str, String)]) -> Self {
        let port = TcpSocket::new_v4().unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let unread = UdpSocket::bind("127.0.0.1:0").unwrap();
        if matches!(xray, Xray::Closed) {
            // It takes datagrams of its peer alone.
            unread.connect("127.0.0.1:9").unwrap();
        }
        let daemon = XrayDaemon::start().await;
        let receiver = match otlp {
            Otlp::Raw(raw) => OtlpReceiver::start_raw(raw.clone()).await,
            Otlp::Unaccepted | Otlp::TlsHangs => OtlpReceiver::closed().await,
            Otlp::Says(_) | Otlp::Hangs | Otlp::Closed | Otlp::NoTls | Otlp::NoSuchHost => OtlpReceiver::start().await,
        };
        if let Otlp::Says(reply) = otlp {
            receiver.reply(vec![reply.clone(); 100]);
        }
        receiver.answer(!matches!(otlp, Otlp::Hangs));
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

    async fn get(&self, path: &str) -> Answer {
        self.lambda
            .invoke(Event {
                payload: HTTP.replace("/items/42", path),
                trace: format!("Root={ROOT};Parent={PARENT};Sampled={}", self.sampled),
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
        // A task of its own: what is wrong in one row hides no other.
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
        stage.lambda.frozen().await;
        let until_poll = Instant::now() - answer.at;
        assert!(until_poll < Duration::from_millis(row.budget) + MARGIN, "{fault}: {until_poll:?}");
        let arrivals = stage.otlp.collected().arrivals.split_off(known);
        assert!(arrivals.iter().all(|arrival| *arrival >= answer.at), "{fault}: exported before the response");
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
    // Its own root is created and not over.
    let expected = json!({ "created": SPANS + 1, "otlp": row.otlp_ledger, "xray": row.xray_ledger });
    assert_eq!(ledger, expected, "{fault}");
    stage.lambda.frozen().await;
    let log = stage.lambda.kill().await;
    let lines = |text| log.matches(text).count();
    let logged = (lines("spans could not be exported by OTLP"), lines("spans cannot be sent to the X-Ray daemon"));
    assert_eq!(logged, row.logged, "{fault}: {log}");
}

/// When spans leave depends on the time here; that the books balance does not.
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
    stage.lambda.frozen().await;
    let took = start.elapsed();
    assert!(took < 3 * Duration::from_millis(SHORT) + MARGIN, "{fault}: {took:?}");
    let ledger = stage.ledger().await;
    assert_eq!(ledger["created"], SPANS + 1, "{fault}");
    for destination in ["otlp", "xray"] {
        let counts: Vec<u64> = serde_json::from_value(ledger[destination].clone()).unwrap();
        assert_eq!(counts.iter().sum::<u64>(), SPANS, "{fault}: {ledger}");
    }
    stage.lambda.frozen().await;
    let (status, log) = stage.lambda.terminate().await;
    assert!(status.success(), "{fault}: {status}: {log}");
    if let Xray::Well = row.xray {
        assert_eq!(stage.xray.take().await.len(), 5, "{fault}");
    }
    let complaints = log.matches("spans could not be exported by OTLP").count();
    assert!(complaints <= 1, "{fault}: {log}");
}

#[tokio::test]
async fn late_receiver_gets_every_span() {
    let budget = [("LAMBDA_SPANS_BUDGET_MS", SHORT.to_string()), ("LAMBDA_SPANS_FLUSH", "adaptive".to_owned())];
    let mut stage = Stage::new(&Otlp::Unaccepted, Xray::Well, &budget).await;
    for _ in 0..INVOCATIONS {
        stage.get("/items/42").await;
    }
    stage.lambda.frozen().await;
    stage.otlp.open();
    let (status, log) = stage.lambda.terminate().await;
    assert!(status.success(), "{log}");
    // The first request was given up, but its bytes were on their way: it may have come as well.
    let spans = stage.otlp.collected().spans;
    assert_eq!(spans.into_iter().map(|(_, span)| span.span_id).collect::<BTreeSet<_>>().len(), 4);
}

#[tokio::test]
async fn unreachable_receiver_backlog_is_bounded_in_spans() {
    let mut stage = Stage::new(&Otlp::Closed, Xray::Well, &[]).await;
    stage.sampled = 0;
    for _ in 0..200 {
        stage.get("/spans/40/1").await;
    }
    stage.lambda.frozen().await;
    let ledger = stage.ledger().await;
    // 99 invocations of 41 spans are 4,059; a hundred would be more than 4,096.
    assert_eq!(ledger["otlp"], json!([0, 0, 4_059, 0, 4_142, 0]));
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
        // 64 KiB and what a span needs besides: 30 of them are less than 2 MiB, 31 are more.
        stage.get("/spans/16/4096").await;
        if [50, 200].contains(&invocation) {
            let ledger = stage.ledger().await;
            assert_eq!(ledger["otlp"][2], 30 * 17, "{ledger}");
            resident.push(ledger["resident"].as_u64().unwrap());
        }
    }
    stage.lambda.frozen().await;
    stage.lambda.kill().await;
    let [before, after] = resident[..] else { panic!("two figures") };
    // Without a bound it would be 9,600 KiB more.
    assert!(after < before + 4_096, "{before} KiB, then {after} KiB");
}

#[tokio::test]
async fn oversized_batches_are_split_without_loss() {
    let long = ("LAMBDA_SPANS_BUDGET_MS", LONG.to_string());
    for (spans, compression, requests) in [("/spans/300/8192", "none", 3), ("/spans/6000/100", "gzip", 2)] {
        let environment = [long.clone(), ("OTEL_EXPORTER_OTLP_COMPRESSION", compression.to_owned())];
        let mut stage = Stage::new(&Otlp::Says(Reply::status(200)), Xray::Well, &environment).await;
        stage.sampled = 0;
        stage.get(spans).await;
        stage.lambda.frozen().await;
        let collected = stage.otlp.collected();
        let ledger = stage.ledger().await;
        stage.lambda.kill().await;
        assert_eq!(ledger["otlp"], json!([ledger["created"].as_u64().unwrap() - 1, 0, 0, 0, 0, 0]), "{spans}");
        assert_eq!(collected.requests.len(), requests, "{spans}");
        let length = |headers: &HeaderMap| headers["content-length"].to_str().unwrap().parse::<usize>().unwrap();
        // A mebibyte, and what an estimate of it may miss.
        assert!(collected.requests.iter().all(|headers| length(headers) < 1_200_000), "{spans}");
    }
}
