//! The console of `cargo run`: what a request's trace looks like after it left the process.

use std::io::{BufRead, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// `cargo run` with a console, which is stopped at the end of the test.
struct Program {
    child: Child,
    api: String,
    console: String,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cruddur-local"));
        command.args(["--port", "0", "--dynamodb-port", "0", "--console-port", "0", "--data-dir"]).arg(folder.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |label: &str| {
            let line = banner.find(|line| line.as_ref().unwrap().trim_start().starts_with(label)).unwrap().unwrap();
            let url = line.split("http://").nth(1).unwrap();
            url.split(['/', ';']).next().unwrap().to_owned()
        };
        let (api, console) = (address("API"), address("Traces"));
        Self { child, api, console, _folder: folder }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn get(address: &str, path: &str, accept: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n").unwrap();
    BufReader::new(stream)
}

/// Returns the next trace of an event stream whose root has this name, when it has this number of spans from both sides.
fn next_trace(events: &mut Lines<impl BufRead>, name: &str, spans: u64) -> Value {
    let traces = events.map(Result::unwrap).filter_map(|line| {
        let summary: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
        Some(summary)
    });
    let of = |summary: &Value, member: &str| summary.get(member).cloned().unwrap_or_default();
    let mut traces = traces.filter(|summary| of(&of(summary, "root"), "name") == name);
    traces.find(|summary| of(summary, "otlp_spans") == spans && of(summary, "xray_spans") == spans).unwrap()
}

#[test]
fn request_is_shown_as_both_destinations_get_it() {
    let mut program = Program::start();
    let mut events = get(&program.console, "/api/events", "text/event-stream").lines();
    // The stream exists once its head is here.
    assert!(events.next().unwrap().unwrap().starts_with("HTTP/1.1 200"));
    let mut home = String::new();
    get(&program.api, "/api/activities/home", "*/*").read_to_string(&mut home).unwrap();
    let header = home.lines().find_map(|line| line.strip_prefix("x-trace-id: ")).unwrap().to_owned();

    let summary = next_trace(&mut events, "GET /api/activities/home", 4);
    assert_eq!(summary["id"], header);
    assert_eq!((&summary["method"], &summary["status_code"]), (&"GET".into(), &200.into()));
    let mut errors = BufReader::new(program.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = errors.find(|line| line.starts_with("GET ")).unwrap();
    assert!(line.ends_with(&format!("http://{}/#/trace/{header}", program.console)), "{line}");
}

#[test]
fn page_is_served_without_a_trace_and_knows_the_console() {
    let program = Program::start();
    let answer = |path: &str, accept: &str| {
        let mut text = String::new();
        get(&program.api, path, accept).read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    };
    for path in ["/", "/main.js", "/settings.json"] {
        let (head, _) = answer(path, "text/html");
        assert!(head.starts_with("http/1.1 200") && !head.contains("x-trace-id"), "{path}: {head}");
        assert!(head.contains("content-security-policy: default-src 'none';"), "{path}: {head}");
    }
    let (_, settings) = answer("/settings.json", "*/*");
    let settings: Value = serde_json::from_str(&settings).unwrap();
    assert_eq!(settings["console"], format!("http://{}/", program.console));
    // The API answers all other paths as before.
    let (head, body) = answer("/missing.js", "*/*");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert!(head.starts_with("http/1.1 404") && head.contains("x-trace-id"), "{head}");
    assert_eq!((&problem["status"], &problem["code"]), (&404.into(), &"not_found".into()));
}
