//! The tools for coding agents: the Model Context Protocol over the streams of the process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{JSON, TRACE, TestConsole, request, span, start};

/// A client that waits for each answer.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    /// Starts the program and initializes the protocol.
    fn start(at: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lambda-console"))
            .args(["mcp", "--at", at])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut client = Self { child, input, output, last: 0 };
        let params = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = client.call("initialize", &params);
        assert_eq!(answer["result"]["serverInfo"]["name"], "lambda-console");
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
        assert!(answer["result"]["capabilities"]["tools"].is_object());
        client.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn write(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], self.last);
        answer
    }

    /// Returns whether the tool failed, and the text of its answer.
    fn tool(&mut self, name: &str, arguments: &Value) -> (bool, String) {
        let answer = self.call("tools/call", &json!({"name": name, "arguments": arguments}));
        let result = &answer["result"];
        (result["isError"] == true, result["content"][0]["text"].as_str().unwrap().to_owned())
    }

    fn json(&mut self, name: &str, arguments: &Value) -> Value {
        let (is_error, text) = self.tool(name, arguments);
        assert!(!is_error, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

async fn with_client(console: &TestConsole, test: impl FnOnce(&mut Client) + Send + 'static) {
    let at = console.http().to_string();
    let run = move || {
        let mut client = Client::start(&at);
        test(&mut client);
        // The server ends with its input.
        client.input.take();
        assert!(client.child.wait().unwrap().success());
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_with_their_parameters() {
    let console = start().await;
    with_client(&console, |client| {
        let answer = client.call("tools/list", &json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap();
        let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["find_traces", "get_trace", "explain"]);
        for tool in tools {
            assert_eq!(
                (&tool["inputSchema"]["type"], &tool["annotations"]["readOnlyHint"]),
                (&json!("object"), &json!(true))
            );
        }
        assert_eq!(tools[1]["inputSchema"]["required"], json!(["id"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_answer_what_the_api_answers() {
    let console = start().await;
    let spans = [span(1, 0, 0, 1_500_000, ""), span(2, 1, 10, 20, "")].join(",");
    console.post("/v1/traces", &[JSON], request(&spans).as_bytes()).await;
    let page = console.get_json("/api/traces?limit=20").await;
    let trace = console.get_json(&format!("/api/traces/{TRACE}")).await;
    with_client(&console, move |client| {
        assert_eq!(client.json("find_traces", &json!({})), page);
        let found = client.json("find_traces", &json!({"filter": ["name=span 2", "name=span 1"], "limit": 5}));
        assert_eq!(found["total"], 1);
        assert_eq!(client.json("find_traces", &json!({"error": true}))["total"], 0);
        assert_eq!(client.json("get_trace", &json!({"id": TRACE})), trace);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_a_reason_that_an_agent_can_read() {
    let console = start().await;
    with_client(&console, |client| {
        let (is_error, text) = client.tool("get_trace", &json!({"id": "60000001000000000000000000000001"}));
        assert!(is_error && !text.is_empty());
        let (is_error, text) = client.tool("find_traces", &json!({"filter": "="}));
        assert!(is_error && text.contains("`filter`"), "{text}");
        for (name, arguments) in [
            ("get_trace", json!({})),
            ("get_trace", json!({"id": "1", "x": 1})),
            ("find_traces", json!({"q": {}})),
            ("x", json!({})),
        ] {
            let answer = client.call("tools/call", &json!({"name": name, "arguments": arguments}));
            assert_eq!(answer["error"]["code"], -32602, "{name} {arguments}");
        }
    })
    .await;
}

#[test]
fn agent_learns_that_no_console_runs() {
    let mut client = Client::start("127.0.0.1:1");
    let (is_error, text) = client.tool("find_traces", &json!({}));
    assert!(is_error && text.contains("127.0.0.1:1"), "{text}");
    client.input.take();
    assert!(client.child.wait().unwrap().success());
}
