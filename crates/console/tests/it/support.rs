//! A console on free ports, and a small HTTP client that can also send what no client would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lambda_console::{Clock, Console, Options};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// The epoch of `TRACE`, in nanoseconds.
pub(crate) const NOW: u64 = 0x6000_0000 * 1_000_000_000;
pub(crate) const TRACE: &str = "60000000bd862e3fe1be46a994272793";
pub(crate) const XRAY_TRACE: &str = "1-60000000-bd862e3fe1be46a994272793";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

pub(crate) struct TestConsole {
    pub(crate) console: Console,
    pub(crate) now: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) async fn start() -> TestConsole {
    start_with(|_| {}).await
}

pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> TestConsole {
    let now = Arc::new(AtomicU64::new(NOW));
    let clock = now.clone();
    let mut options = Options::on_free_ports();
    options.clock = Clock::new(move || clock.load(Ordering::Relaxed));
    change(&mut options);
    TestConsole { console: Console::start(options).await.unwrap(), now }
}

impl TestConsole {
    pub(crate) fn http(&self) -> SocketAddr {
        self.console.addresses().http
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send("POST", path, headers, body).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.http(), method, path, headers, body).await
    }

    /// Sends a datagram and waits until it is counted or kept.
    pub(crate) async fn datagram(&self, datagram: &[u8]) {
        let before = self.seen().await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(datagram, self.console.addresses().xray.unwrap()).await.unwrap();
        while self.seen().await == before {
            tokio::task::yield_now().await;
        }
    }

    /// Everything that an arriving datagram changes.
    async fn seen(&self) -> (Value, Value) {
        (self.get_json("/api/health").await, self.get_json("/api/info").await)
    }

    pub(crate) async fn document(&self, document: &str) {
        self.datagram(format!("{{\"format\":\"json\",\"version\":1}}\n{document}").as_bytes()).await;
    }

    /// Returns the counts of refused input by code.
    pub(crate) async fn refused(&self) -> Vec<(String, u64)> {
        let health = self.get_json("/api/health").await;
        let rows = health["refused"].as_array().unwrap();
        rows.iter().map(|row| (row["code"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap())).collect()
    }
}

pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += &format!("host: {address}\r\n");
    }
    if !headers.iter().any(|(name, _)| *name == "content-length" || *name == "transfer-encoding") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    // The server may refuse the body before all of it was read.
    connection.write_all(body).await.ok();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).await.ok();
    parse(&bytes)
}

pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    if status == 100 {
        return parse(&bytes[end + 4..]);
    }
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    let headers: Vec<_> = headers.collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let mut body = bytes[end + 4..].to_vec();
    if is_chunked {
        let mut rest = &body[..];
        let mut whole = Vec::new();
        while let Some(line) = rest.windows(2).position(|part| part == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            whole.extend_from_slice(&rest[line + 2..line + 2 + size]);
            rest = &rest[(line + 4 + size).min(rest.len())..];
        }
        body = whole;
    }
    Answer { status, headers, body }
}

/// Returns an OTLP request with these spans, each a JSON object.
pub(crate) fn request(spans: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"api"}}}}]}},"scopeSpans":[{{"scope":{{"name":"lib"}},"spans":[{spans}]}}]}}]}}"#
    )
}

/// Returns a span of `TRACE` as JSON. `more` are further members, each after a comma.
pub(crate) fn span(id: u64, parent: u64, start: u64, end: u64, more: &str) -> String {
    let parent = if parent == 0 { String::new() } else { format!(r#""parentSpanId":"{parent:016x}","#) };
    format!(
        r#"{{"traceId":"{TRACE}","spanId":"{id:016x}",{parent}"name":"span {id}","kind":1,"startTimeUnixNano":"{}","endTimeUnixNano":"{}"{more}}}"#,
        NOW + start,
        NOW + end
    )
}
