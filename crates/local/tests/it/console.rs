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
        Self::start_with(&[])
    }

    fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cruddur-local"));
        command.envs(variables.iter().copied());
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

/// Sends JSON with these headers. Returns the body of the response, whose status must be 200.
fn post(address: &str, path: &str, headers: &str, body: &Value) -> Value {
    let (mut stream, body) = (TcpStream::connect(address).unwrap(), body.to_string());
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         {headers}Connection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{response}");
    serde_json::from_str(body).unwrap()
}

fn trace(program: &Program, id: &str) -> Value {
    let mut response = String::new();
    get(&program.console, &format!("/api/traces/{id}"), "*/*").read_to_string(&mut response).unwrap();
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The links of all spans of a trace in one direction, as the traces at their other ends.
fn linked(trace: &Value, direction: &str) -> Vec<String> {
    let list = |value: &Value, member: &str| value.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let links = list(trace, "spans").into_iter().flat_map(|span| list(&span, "links"));
    links.filter(|link| text(link, "direction") == direction).map(|link| text(&link, "trace")).collect()
}

/// A trace id as a page creates it, which begins with the time.
fn new_trace_id() -> String {
    format!("{:08x}bd862e3fe1be46a994272793", cruddur::clock::Clock::system().now().as_second())
}

fn page_headers(trace: &str) -> String {
    let (time, unique) = trace.split_at(8);
    let root = format!("1-{time}-{unique}");
    format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\nX-Amzn-Trace-Id: Root={root}\r\n")
}

#[test]
fn post_and_its_side_effects_are_linked_in_both_directions() {
    let program = Program::start();
    let mut events = get(&program.console, "/api/events", "text/event-stream").lines();
    assert!(events.next().unwrap().unwrap().starts_with("HTTP/1.1 200"));
    let token = post(&program.api, "/local/sign-in", "", &serde_json::json!({ "handle": "worf" }));
    let token = format!("Authorization: Bearer {}\r\n", token["access_token"].as_str().unwrap());
    let id = new_trace_id();
    let body = serde_json::json!({ "message": "Hello @andrewbrown", "ttl": "1-day" });
    post(&program.api, "/api/activities", &format!("{token}{}", page_headers(&id)), &body);

    let traces = events.map(Result::unwrap).filter_map(|line| {
        let summary: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
        Some(summary.get("id")?.as_str()?.to_owned())
    });
    let mut traces = traces.filter(|trace| *trace != id);
    let consumer = traces.find(|other| linked(&trace(&program, other), "out").contains(&id)).unwrap();
    assert!(linked(&trace(&program, &id), "in").contains(&consumer));
}

#[test]
fn page_and_request_are_one_trace_in_both_destinations() {
    let program = Program::start();
    let mut events = get(&program.console, "/api/events", "text/event-stream").lines();
    assert!(events.next().unwrap().unwrap().starts_with("HTTP/1.1 200"));
    let id = new_trace_id();
    let mut home = String::new();
    let mut stream = TcpStream::connect(&program.api).unwrap();
    let headers = format!("Host: {}\r\n{}Connection: close", program.api, page_headers(&id));
    write!(stream, "GET /api/activities/home HTTP/1.1\r\n{headers}\r\n\r\n").unwrap();
    stream.read_to_string(&mut home).unwrap();
    assert!(home.contains(&format!("x-trace-id: {id}\r\n")), "{home}");

    let nanos = |ago: i128| (cruddur::clock::Clock::system().now().as_nanosecond() - ago).to_string();
    let span = serde_json::json!({
        "traceId": id, "spanId": "00f067aa0ba902b7", "name": "GET /api/activities/home", "kind": 3,
        "startTimeUnixNano": nanos(1_000_000_000), "endTimeUnixNano": nanos(0),
    });
    let body = serde_json::json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] });
    let origin = format!("Origin: http://{}\r\n", program.api);
    let answer = post(&program.api, "/v1/traces", &origin, &body);
    assert_eq!(answer, serde_json::json!({ "partialSuccess": {} }));

    let mut summaries = events.map(Result::unwrap).filter_map(|line| {
        let summary: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
        Some(summary).filter(|summary| summary.get("id").is_some_and(|other| *other == id))
    });
    let complete = |summary: &Value| {
        let count = |member: &str| summary.get(member).and_then(Value::as_u64).unwrap_or_default();
        (count("otlp_spans"), count("xray_spans")) == (5, 4)
    };
    summaries.find(complete).unwrap();
    let spans = trace(&program, &id)["spans"].as_array().unwrap().clone();
    let named = |service: &str| {
        spans.iter().find(|span| span["service"] == service && span["name"] == "GET /api/activities/home").unwrap()
    };
    let (page, request) = (named("cruddur-web"), named("cruddur-local"));
    assert_eq!((&page["parent"], &request["parent"]), (&Value::Null, &page["index"]));
}

#[test]
fn left_out_trace_says_why_in_the_console() {
    let program = Program::start_with(&[("LAMBDA_SPANS_SAMPLE_RATE", "1000000000000")]);
    let mut events = get(&program.console, "/api/events", "text/event-stream").lines();
    assert!(events.next().unwrap().unwrap().starts_with("HTTP/1.1 200"));
    let mut home = String::new();
    get(&program.api, "/api/activities/home", "*/*").read_to_string(&mut home).unwrap();
    let id = home.lines().find_map(|line| line.strip_prefix("x-trace-id: ")).unwrap().to_owned();
    let mut summaries = events.map(Result::unwrap).filter_map(|line| {
        let summary: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
        Some(summary)
    });
    summaries.find(|summary| summary["id"] == *id && summary["xray_spans"] == 4).unwrap();
    let mut response = String::new();
    get(&program.console, &format!("/api/traces/{id}/honeycomb"), "*/*").read_to_string(&mut response).unwrap();
    let view: Value = serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap();
    let left_out = serde_json::json!({ "reason": "sampled_out", "rate": 1_000_000_000_000_i64 });
    assert_eq!((&view["events"], &view["left_out"]), (&serde_json::json!([]), &left_out));
}
