//! The commands of the binary.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{JSON, TRACE, TestConsole, request, span, start};

const BINARY: &str = env!("CARGO_BIN_EXE_lambda-console");

async fn run(console: &TestConsole, arguments: &[&str]) -> Output {
    let at = console.http().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || Command::new(BINARY).args(arguments).args(["--at", &at]).output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_and_show_print_what_the_api_answers() {
    let console = start().await;
    let spans = [span(1, 0, 0, 1_500_000, ""), span(2, 1, 10, 20, "")].join(",");
    console.post("/v1/traces", &[JSON], request(&spans).as_bytes()).await;
    let listed = run(&console, &["list", "--last", "5", "--json"]).await;
    let page: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(page, console.get_json("/api/traces?limit=5").await);
    let shown = run(&console, &["show", TRACE, "--json"]).await;
    let trace: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(trace, console.get_json(&format!("/api/traces/{TRACE}")).await);
    let tree = String::from_utf8(run(&console, &["show", TRACE]).await.stdout).unwrap();
    assert_eq!(tree, "   1.5 ms  span 1\n    10 ns    span 2\n");
    let filtered = run(&console, &["list", "--filter", "name=span 2", "--error"]).await;
    assert_eq!((filtered.status.success(), filtered.stdout), (true, Vec::new()));
    let absent = run(&console, &["show", "60000001000000000000000000000001"]).await;
    assert_eq!((absent.status.code(), absent.stdout), (Some(1), Vec::new()));
}

#[test]
fn opened_file_has_a_permalink() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    std::fs::write(&file, request(&span(1, 0, 0, 1, ""))).unwrap();
    let mut child = Command::new(BINARY)
        .args(["open", "--port", "0", "--xray-port", "0"])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let end = format!("/#/trace/{TRACE}");
    let found = lines.take(10).any(|line| line.ends_with(&end));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found);
}
